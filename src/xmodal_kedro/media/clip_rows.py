"""What cutting one recording returns: a row for each clip, and an account of the rest."""

from __future__ import annotations

from typing import NamedTuple


class ClipRow(NamedTuple):
    """A row of `clips`; see `schemas.Clips`."""

    clip_id: str
    video_id: str
    start_s: float
    end_s: float
    audio: bytes
    audio_rms_dbfs: float
    frames: list[bytes]
    frame_times_s: list[float]


class Account(NamedTuple):
    """What became of the rest of a recording that gave clips.

    Attributes:
        silent_spans: spans dropped because they are silent.
        unseen_spans: spans dropped because they have no frame.
        cut_short: reason and detail, if not all of the file could be used.
    """

    silent_spans: int
    unseen_spans: int
    cut_short: tuple[str, str] | None
