"""Published accuracies to read a result beside, each with its source."""

from __future__ import annotations

from typing import NamedTuple

_ESC = "ESC-50 README, github.com/karolpiczak/ESC-50"
_HEAR = "HEAR leaderboard, hearbenchmark.com"


class Published(NamedTuple):
    """One accuracy, in percent, as its source gives it."""

    system: str
    protocol: str
    accuracy_percent: float
    source: str


PUBLISHED: dict[str, tuple[Published, ...]] = {
    "esc50": (
        Published("Human listeners", "listening", 81.3, _ESC),
        Published("Piczak CNN", "trained from scratch", 64.5, _ESC),
        Published("SoundNet-8", "learnt from video", 74.2, _ESC),
        Published("L3", "learnt from video", 79.3, _ESC),
        Published("OpenL3", "frozen embedding", 75.05, _HEAR),
        Published("Wav2CLIP", "frozen embedding", 75.9, _HEAR),
        Published("YAMNet", "frozen embedding", 83.75, _HEAR),
        Published("PANNs", "frozen embedding", 90.85, _HEAR),
        Published("EfficientAT mn40", "frozen embedding", 96.15, _HEAR),
    ),
    "esc10": (
        Published("Human listeners", "listening", 95.7, _ESC),
        Published("Multi-feature CNN", "trained from scratch", 97.25, "abstract of arXiv 1908.11219"),
    ),
}
