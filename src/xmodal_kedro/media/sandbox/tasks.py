"""What the decoder process is asked to do. What it takes is imported there, not in the worker, which stays small."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from xmodal_kedro.params import ClipParams, IngestParams

if TYPE_CHECKING:
    import numpy as np


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
        silent_spans: spans dropped for want of sound.
        unseen_spans: spans dropped for want of a picture.
        cut_short: reason and detail, where not all of the file could be used.
    """

    silent_spans: int
    unseen_spans: int
    cut_short: tuple[str, str] | None


def probe_file(path: str, params: IngestParams) -> Iterator[dict[str, Any]]:
    """See `streams.probe_file`."""
    from xmodal_kedro.media import streams

    return streams.probe_file(path, params)


def clip_file(path: str, video_id: str, params: ClipParams, sound_only: bool) -> Iterator[ClipRow | Account]:
    """See `clipper.clip_file`."""
    from xmodal_kedro.media import clipper

    return clipper.clip_file(path, video_id, params, sound_only)


def sound_file(path: str) -> Iterator[np.ndarray]:
    """See `audio_track.sound_of_file`."""
    from xmodal_kedro.media import audio_track

    return audio_track.sound_of_file(path)
