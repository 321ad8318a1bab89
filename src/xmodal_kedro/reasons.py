"""The closed list of reasons why a source is not used, or not to its end."""

from __future__ import annotations

import errno
import os

from xmodal_kedro.masking import masked

REASONS: dict[str, str] = {
    "unreadable": "the file cannot be fetched from storage, or is not a regular file; the next run tries again",
    "not_media": "no demuxer recognises the content as audio or video",
    "forbidden_format": "the container is not on the safe list: some make readers open other files or the network",
    "forbidden_protocol": "the protocol of its address is not on the safe list",
    "no_audio": "there is no audio stream",
    "no_picture": "there is no video stream, or it ends before the audio, and ingest.without_video is `reject`",
    "unknown_codec": "a needed stream has a codec that this FFmpeg cannot decode",
    "corrupt": "the data is invalid or breaks off",
    "silent": "all of its audio is under clip.silence_dbfs",
    "too_short": "its audio is shorter than clip.min_s",
    "too_long": "it is longer than ingest.max_duration_s",
    "too_many_bytes": "the file is larger than ingest.max_size_gb",
    "too_many_pixels": "its frames have more pixels than ingest.max_pixels",
    "too_many_streams": "it has more streams than ingest.max_streams",
    "timed_out": "decoding it took longer than its timeout (timeout_s plus its size over slowest_mb_per_s)",
    "crashed": "the decoder crashed on it",
    "killed": "the decoder was killed, most likely because memory ran out; the next run tries again",
    "duplicate": "another source has the same content",
}
"""Code and meaning of every reason. For a source that was used in part, it is the reason for the rest."""

PASSING = ("unreadable", "killed")
"""Temporary reasons, which are not the file's fault: results that depend on them are provisional."""


class MediaError(ValueError):
    """A source that cannot be used.

    Attributes:
        reason: a key of `REASONS`.
        detail: description for people.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


def describe(error: Exception) -> str:
    """Describe an error without secrets, and without the path of the file, which differs between machines."""
    if isinstance(error, FileNotFoundError):
        return os.strerror(errno.ENOENT)
    return masked(getattr(error, "strerror", None) or f"{type(error).__name__}: {error}")
