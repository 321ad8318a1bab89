"""Tasks of the decoder process. Their imports are made there, not in the worker, which stays small."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from xmodal_kedro.media.clip_rows import Account, ClipRow, StreamUse
from xmodal_kedro.params import ClipParams, IngestParams

if TYPE_CHECKING:
    import numpy as np


def probe_file(path: str, params: IngestParams) -> Iterator[dict[str, Any]]:
    """See `streams.probe_file`."""
    from xmodal_kedro.media import streams

    return streams.probe_file(path, params)


def clip_file(path: str, video_id: str, params: ClipParams, use: StreamUse) -> Iterator[ClipRow | Account]:
    """See `clipper.clip_file`."""
    from xmodal_kedro.media import clipper

    return clipper.clip_file(path, video_id, params, use)


def sound_file(path: str) -> Iterator[np.ndarray]:
    """See `sound_file.sound_of_file`."""
    from xmodal_kedro.media import sound_file

    return sound_file.sound_of_file(path)


def glimpses(path: str, times_s: Sequence[float], short_side_px: int) -> Iterator[bytes]:
    """See `glimpses.glimpses`."""
    from xmodal_kedro.media import glimpses

    return glimpses.glimpses(path, times_s, short_side_px)
