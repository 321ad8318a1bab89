"""The classes of the sample data, and its independent random streams."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.random import Generator

from xmodal_kedro.params import SampleParams

ESC10 = (
    "dog", "rooster", "rain", "sea_waves", "crackling_fire", "crying_baby", "sneezing", "clock_tick", "helicopter",
    "chainsaw",
)  # fmt: skip
"""The classes of ESC-10 (Piczak 2015)."""
SOURCES = (*ESC10, "chirping_birds", "church_bells", "siren", "engine", "drum")
"""Visible and audible; both teachers have a class for each."""
HEARD_ONLY = ("water_drops",)
"""Audible only: a class of the audio teacher."""
SILENT = ("statue", "plate", "airship", "tree")
"""Visible only: classes of the visual teacher. The first three look like a dog, a clock, a helicopter."""
UNKNOWN_SOUNDS = ("wind", "car_horn")
"""Audible in videos; no teacher has a class for them."""
UNKNOWN_PICTURES = ("", "test_card")
"""Visible in videos; no teacher has a class for them. Empty for a background without an object."""
NEW_SOUNDS = ("crickets", "door_wood_knock")
"""Only in the benchmark: not in any video, and no teacher has a class for them."""

BACKGROUND = "background"
"""The visual teacher's class for an image without any of its objects, listed in `ignore` of its card."""

AUDIO_CLASSES = (*SOURCES, *HEARD_ONLY)
VISUAL_CLASSES = (BACKGROUND, *SOURCES, *SILENT)
BENCHMARK_CLASSES = (*AUDIO_CLASSES, *UNKNOWN_SOUNDS, *NEW_SOUNDS)

AUDIOSET_IDS = {
    "dog": "/m/0bt9lr", "rooster": "/m/07qn5dc", "rain": "/m/06mb1", "sea_waves": "/m/034srq",
    "crackling_fire": "/m/07pzfmf", "crying_baby": "/t/dd00002", "sneezing": "/m/01hsr_", "clock_tick": "/m/07qjznt",
    "helicopter": "/m/09ct_", "chainsaw": "/m/01j4z9", "chirping_birds": "/m/07pggtn", "church_bells": "/m/03w41f",
    "siren": "/m/03kmc9", "engine": "/m/02mk9", "drum": "/m/026t6",
}  # fmt: skip
"""Ids of the sounds of `SOURCES` in the AudioSet ontology."""
SOUNDS_FILE = "sounds.csv"
"""File beside the visual teacher's weights, named in `sounds` of its card."""


def sounds_table() -> bytes:
    """CSV of the sounds of the visual teacher's classes: a source makes its own sound, the others none."""
    rows = [f"{name},{name},{AUDIOSET_IDS[name]}" for name in SOURCES]
    return "\n".join(["label,sound,audioset_id", *rows, ""]).encode()


class Draw(IntEnum):
    """Purpose of a random stream. Streams of different purposes are independent."""

    VIDEOS = 0
    PICTURES = 1
    SOUNDS = 2
    BENCHMARK = 3
    UNKNOWN_CLASSES = 4


def unknown_classes(sample: SampleParams) -> tuple[frozenset[str], frozenset[str]]:
    """The classes of `SOURCES` that the visual, and the audio teacher does not know."""
    order = stream(sample.seed, Draw.UNKNOWN_CLASSES).permutation(SOURCES).tolist()
    blind, deaf = (round(share * len(order)) for share in (sample.blind_share, sample.deaf_share))
    return frozenset(order[:blind]), frozenset(order[len(order) - deaf :])


def stream(seed: int, draw: Draw, *index: int) -> Generator:
    """The random stream of one item, numbered by `index` within its purpose."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(int(draw), *index)))
