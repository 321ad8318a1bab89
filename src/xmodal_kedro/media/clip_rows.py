"""What cutting one recording takes and returns: the streams to use, a row for each clip, and an account of the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class StreamUse(NamedTuple):
    """The streams of a recording that are used, as its row of `videos` states them.

    Attributes:
        audio_track: the audio streams, such as `1` or `1+2`.
        channel_use: how their channels become one.
        channels: number of channels.
        video_track: the video stream; -1 for none.
        needs_frames: whether a clip must have a frame.
    """

    audio_track: str
    channel_use: str
    channels: int
    video_track: int
    needs_frames: bool = True

    @classmethod
    def of(cls, row: Mapping[Any, Any], needs_frames: bool = True) -> StreamUse:
        """The streams that a row of `videos` names."""
        track, use, channels = str(row["audio_track"]), str(row["channel_use"]), int(row["channels"])
        return cls(track, use, channels, int(row["video_track"]), needs_frames)


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
    still_picture: bool = False


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
