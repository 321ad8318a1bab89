"""Opening media files safely: allowed demuxers, local reads only, errors as reason codes."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import IO, TypeVar, cast, overload

import av
import fsspec
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import ArgumentError, FFmpegError
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

MediaStream = TypeVar("MediaStream", VideoStream, AudioStream)

SAFE_FORMATS = (
    # with pictures and sound
    *("mov", "mp4", "matroska", "webm", "avi", "asf", "mpegts", "mpeg", "flv", "ogg", "mxf", "nut", "rm", "dv", "wtv"),
    *("ivf", "h264", "hevc", "mpegvideo", "m4v", "h263", "mjpeg", "gif", "obu"),
    # sound alone
    *("wav", "w64", "aiff", "au", "caf", "flac", "mp3", "aac", "loas", "ac3", "eac3", "dts", "amr", "ape", "tta"),
)
"""Demuxers that read nothing but the file they are given. Playlists, concat lists and session descriptions, which
name other files or hosts, are not among them."""

OPEN_TIMEOUT_S = 30.0
"""Longest wait for storage, for opening a file and for each read."""


class MediaError(ValueError):
    """A source that cannot be used.

    Attributes:
        reason: a key of `schemas.REJECTION_REASONS`.
        detail: what was found, for people.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


@contextmanager
def open_media(path: str) -> Iterator[InputContainer]:
    """Open a media file for demuxing.

    Args:
        path: a local path or an fsspec URL.

    Raises:
        MediaError: `unreadable`, `not_media` or `forbidden_format`.
    """
    with ExitStack() as opened:
        # FFmpeg would take what stands before a colon in a name for a protocol.
        file = opened.enter_context(_open_remote(path)) if "://" in path else f"file:{path}"
        yield opened.enter_context(_open_container(file))


def _open_remote(url: str) -> IO[bytes]:
    try:
        stream: IO[bytes] = fsspec.open(url, "rb").open()
    except OSError as error:
        raise MediaError("unreadable", describe(error)) from error
    return stream


def _open_container(file: str | IO[bytes]) -> InputContainer:
    options = {"format_whitelist": ",".join(SAFE_FORMATS), "protocol_whitelist": "file"}
    try:
        return av.open(file, "r", container_options=options, metadata_errors="ignore", timeout=OPEN_TIMEOUT_S)
    except ArgumentError as error:
        raise MediaError("forbidden_format", "its container format is not on the list of safe ones") from error
    except OSError as error:
        raise MediaError("unreadable", describe(error)) from error
    except FFmpegError as error:
        raise MediaError("not_media", describe(error)) from error


def describe(error: Exception) -> str:
    """What went wrong, without the path of the file, which differs between machines."""
    if isinstance(error, FileNotFoundError):
        return os.strerror(errno.ENOENT)
    return getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"


def find_stream(streams: Sequence[MediaStream]) -> MediaStream | None:
    """The stream to use: the first that can be decoded, default ones before others; cover pictures do not count.

    Its decoder gets one thread: files are decoded in parallel, not parts of a file.

    Raises:
        MediaError: `unknown_codec`, if there are streams but no decoder for any.
    """
    real = [stream for stream in streams if not stream.disposition & Disposition.attached_pic]
    if not real:
        return None
    decodable = [stream for stream in real if cast(object, stream.codec_context) is not None]
    if not decodable:
        raise MediaError("unknown_codec", f"no decoder for its {real[0].type} stream")
    chosen = next((stream for stream in decodable if stream.disposition & Disposition.default), decodable[0])
    chosen.codec_context.thread_count = 1
    return chosen


def packets(container: InputContainer, *streams: Stream, deadline: float | None = None) -> Iterator[Packet]:
    """Every packet of `streams` in file order. A file that breaks off ends the packets: what came before is used.

    Args:
        deadline: `time.monotonic()` after which reading is given up.

    Raises:
        MediaError: `timed_out`.
    """
    demuxed = container.demux(*streams)
    while True:
        if deadline is not None and time.monotonic() > deadline:
            raise MediaError("timed_out", "it was not decoded within clip.timeout_s")
        try:
            packet = next(demuxed)
        except (StopIteration, FFmpegError):
            return
        if packet.size:
            yield packet


@overload
def decode(stream: VideoStream, packet: Packet[VideoStream] | None) -> list[VideoFrame]: ...
@overload
def decode(stream: AudioStream, packet: Packet[AudioStream] | None) -> list[AudioFrame]: ...
def decode(stream: VideoStream | AudioStream, packet: Packet | None) -> Sequence[VideoFrame | AudioFrame]:
    """Frames of one packet, or with None those the decoder still holds; none if they cannot be decoded."""
    try:
        return stream.codec_context.decode(packet)
    except FFmpegError:
        return []
