"""Opening media files safely: allowed demuxers, one file and no other, errors as reason codes."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, TypeVar, cast, overload

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import ArgumentError, FFmpegError
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from xmodal_kedro.reasons import MediaError, describe

MediaStream = TypeVar("MediaStream", VideoStream, AudioStream)

SAFE_FORMATS = (
    # with pictures and sound
    *("mov", "mp4", "matroska", "webm", "avi", "asf", "mpegts", "mpeg", "flv", "ogg", "mxf", "nut", "rm", "dv", "wtv"),
    *("ivf", "h264", "hevc", "mpegvideo", "m4v", "h263", "mjpeg", "gif", "obu"),
    # sound alone
    *("wav", "w64", "aiff", "au", "caf", "flac", "mp3", "aac", "loas", "ac3", "eac3", "dts", "amr", "ape", "tta", "wv"),
)
"""Demuxers that read nothing but the file they are given. Playlists, concat lists and session descriptions, which
name other files or hosts, are not among them; `mov` follows references to other files only if it is told to."""

MAX_PIXELS = 33_177_600
"""Pictures larger than this (8K), and than their stream's header says, are not decoded, wherever in it they come."""

SIGNATURES = (
    *((4, kind) for kind in (b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip", b"styp", b"moof")),
    *(
        (0, start)
        for start in (b"\x1a\x45\xdf\xa3", b"RIFF", b"OggS", b"FLV\x01", b"fLaC", b"\x00\x00\x01\xba", b"caff")
    ),
    *((0, start) for start in (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", b".RMF", b"#!AMR", b"wvpk", b"FORM", b"MAC ")),
)
"""How media files begin, (offset, bytes): one that cannot be opened is `corrupt`, any other file is `not_media`."""


@contextmanager
def open_media(path: str, glance: bool = False) -> Iterator[InputContainer]:
    """Open a media file for demuxing.

    FFmpeg is handed an open file, and may open no other by any protocol. It does not learn the file's name, which it
    would read more into: protocols before a colon, patterns of numbered pictures.

    Args:
        path: a local path or an fsspec URL.
        glance: decode no picture while opening: a fifth of the time with H.264. The streams' decoders are as ever; but
            without the pictures' order their headers may tell a wrong `start_time`, and no pixel format.

    Raises:
        MediaError: `unreadable`, `not_media`, `corrupt`, `forbidden_format` or `too_many_streams`.
    """
    limits = {"skip_frame": "all"} if glance else {"max_pixels": str(MAX_PIXELS)}
    if is_address(path):
        with _open_remote(path) as stream, _open_container(stream, {}, limits) as container:
            yield container
        return
    descriptor = _open_regular(path)
    try:
        container = _open_container("fd:", {"fd": str(descriptor)}, limits, os.pread(descriptor, 16, 0))
    finally:
        os.close(descriptor)  # FFmpeg has its own copy
    with container:
        yield container


def is_address(path: str) -> bool:
    """Whether a path is an fsspec URL rather than a local file, whose name may hold colons and slashes too."""
    return "://" in path and not path.startswith("/")


def _open_regular(path: str) -> int:
    """Descriptor of a regular file; never waits for the other end of a pipe."""
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):
            raise MediaError("unreadable", "it is not a regular file")
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise MediaError("unreadable", describe(error)) from error


def _open_remote(url: str) -> IO[bytes]:
    import fsspec  # the decoder process, which sees local files alone, does without

    try:
        stream: IO[bytes] = fsspec.open(url, "rb").open()
    except OSError as error:
        raise MediaError("unreadable", describe(error)) from error
    return stream


def _open_container(
    file: str | IO[bytes], input_options: dict[str, str], decoder_options: dict[str, str], start: bytes = b""
) -> InputContainer:
    allowed = {"format_whitelist": ",".join(SAFE_FORMATS), "protocol_whitelist": "fd"}
    try:
        return av.open(
            file,
            "r",
            container_options={**allowed, **input_options},
            options=decoder_options,
            metadata_errors="ignore",
        )
    except ArgumentError as error:
        raise MediaError("forbidden_format", "its container format is not on the list of safe ones") from error
    except MemoryError as error:
        raise MediaError("too_many_streams", "it has too many streams to open, or asks for too much memory") from error
    except FFmpegError as error:  # of any number, such as EIO for a Matroska file whose header breaks off
        known = any(start[offset:].startswith(signature) for offset, signature in SIGNATURES)
        raise MediaError("corrupt" if known else "not_media", describe(error)) from error


def declared_duration_s(container: InputContainer) -> float:
    """How long a file is by its header, else by its streams' headers; 0 if neither tells, seconds."""
    if container.duration and container.duration > 0:
        # Matroska counts from the zero of its clock, where nothing may be.
        before = container.start_time if "matroska" in container.format.name else None
        return (container.duration - max(before or 0, 0)) / av.time_base
    lengths = (
        stream.duration * stream.time_base for stream in container.streams if stream.duration and stream.time_base
    )
    return float(max(lengths, default=0))


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
    context = chosen.codec_context
    context.thread_count = 1
    if isinstance(chosen, VideoStream):
        context.options = {"max_pixels": str(max(MAX_PIXELS, chosen.width * chosen.height))}
    return chosen


class Packets(Iterator[Packet]):
    """The packets of some streams in file order. A file that breaks off ends them: what came before is used.

    Attributes:
        broke_off: what was wrong, where they ended by an error of the demuxer; empty where the file came to its end,
            or has not yet. A file whose end is missing may end without an error.
    """

    def __init__(self, demux: Callable[[], Iterator[Packet]]) -> None:
        self.broke_off = ""
        self._demux = demux
        self._demuxed = demux()

    def __next__(self) -> Packet:
        while True:
            try:
                packet = next(self._demuxed)
            except IndexError:  # of a stream that the file begins half-way, which PyAV does not know
                self._demuxed = self._demux()
            except FFmpegError as error:
                self.broke_off = describe(error)
                raise StopIteration from error
            else:
                if packet.size:  # not an empty one, with which FFmpeg flushes decoders
                    return packet


def packets(container: InputContainer, *streams: Stream) -> Packets:
    """Every packet of `streams`, each with data in it, in file order."""
    return Packets(partial(container.demux, *streams))


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
