"""Opening media files safely: only allowed demuxers, only the given file, errors as reason codes."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
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

from xmodal_kedro.media.file_views import FileView, Patch, bytes_at, size_of
from xmodal_kedro.media.stated_sizes import size_patches
from xmodal_kedro.media.wav_header import has_stale_size, header_patches
from xmodal_kedro.reasons import MediaError, describe

MediaStream = TypeVar("MediaStream", VideoStream, AudioStream)

SAFE_FORMATS = (
    # video with audio
    *("mov", "mp4", "matroska", "webm", "avi", "asf", "mpegts", "mpeg", "flv", "ogg", "mxf", "nut", "rm", "dv", "wtv"),
    *("ivf", "h264", "hevc", "mpegvideo", "m4v", "h263", "mjpeg", "gif", "obu"),
    # audio alone
    *("wav", "w64", "aiff", "au", "caf", "flac", "mp3", "aac", "loas", "ac3", "eac3", "dts", "amr", "ape", "tta", "wv"),
    *("voc", "ircam", "nistsphere", "sox", "dsf", "mpc", "mpc8", "tak"),
)
"""Demuxers that read only the given file. Playlists, concat lists and session descriptions, which name other files or
hosts, are not among them. `mov` follows references to other files only with an option that is never set."""

MAX_PIXELS = 33_177_600
"""Frames larger than both this (8K) and the size in their stream's header are not decoded, anywhere in the stream."""

WITH_CHECKSUMS = ("flac",)
"""Codecs whose every packet has a checksum. FFmpeg decodes damaged ones to noise unless it is asked to look at it."""

SIGNATURES = (
    *((4, kind) for kind in (b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip", b"styp", b"moof")),
    *(
        (0, start)
        for start in (b"\x1a\x45\xdf\xa3", b"RIFF", b"OggS", b"FLV\x01", b"fLaC", b"\x00\x00\x01\xba", b"caff")
    ),
    *((0, start) for start in (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", b".RMF", b"#!AMR", b"wvpk", b"FORM", b"MAC ")),
)
"""Magic numbers of media files, (offset, bytes): an unreadable file with one is `corrupt`, any other `not_media`."""


@contextmanager
def open_media(path: str, glance: bool = False, start: int = 0) -> Iterator[InputContainer]:
    """Open a media file for demuxing.

    FFmpeg gets an open file, and may open no other by any protocol. It does not get the file's name, which it would
    interpret: protocols before a colon, patterns of numbered images.

    Args:
        path: a local path or an fsspec URL.
        glance: decode no frame while opening, which takes a fifth of the time with H.264. The streams' decoders are not
            affected. Without the frame order, `start_time` of the streams may be wrong and the pixel format unknown.
        start: the first byte that is read.

    Raises:
        MediaError: `unreadable`, `not_media`, `corrupt`, `forbidden_format` or `too_many_streams`.
    """
    limits = {"skip_frame": "all"} if glance else {"max_pixels": str(MAX_PIXELS)}
    with ExitStack() as stack:
        file = stack.enter_context(open_file(path))
        options: dict[str, str] = {}
        patches: list[Patch] = []
        if can_seek := _can_seek(file):
            options = {"ignore_length": "1"} if has_stale_size(file) else {}
            patches = header_patches(file) + size_patches(file)
        if start or patches or is_address(path):
            head = bytes_at(file, start, 16) if can_seek else b""
            container = _open_container(FileView(file, start, patches, can_seek=can_seek), options, limits, head)
        else:
            options |= {"fd": str(file.fileno())}
            head = bytes_at(file, 0, 16)
            file.seek(0)
            container = _open_container("fd:", options, limits, head)
            stack.close()  # FFmpeg has its own copy
        with container:
            yield container


def is_address(path: str) -> bool:
    """Whether a path is an fsspec URL rather than a local file, whose name may hold colons and slashes too."""
    return "://" in path and not path.startswith("/")


def _can_seek(file: IO[bytes]) -> bool:
    """Whether a file can be read anywhere: not if it comes from a server that gives it as a whole."""
    try:
        size_of(file)
        file.seek(0)
    except (OSError, ValueError):
        return False
    return True


@contextmanager
def open_file(path: str) -> Iterator[IO[bytes]]:
    """A regular local file or an fsspec URL, to be read anywhere.

    Raises:
        MediaError: `unreadable`.
    """
    file = _open_remote(path) if is_address(path) else _open_regular(path)
    with file:
        yield file


def _open_regular(path: str) -> IO[bytes]:
    """A regular file; does not block on a named pipe."""
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):
            raise MediaError("unreadable", "it is not a regular file")
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        return cast(IO[bytes], os.fdopen(descriptor, "rb", buffering=0))
    except OSError as error:
        raise MediaError("unreadable", describe(error)) from error


def _open_remote(url: str) -> IO[bytes]:
    import fsspec  # imported here, as the decoder process opens local files alone

    try:
        stream: IO[bytes] = fsspec.open(url, "rb").open()
    except OSError as error:
        raise MediaError("unreadable", describe(error)) from error
    return stream


def _open_container(
    file: str | FileView,
    input_options: dict[str, str],
    decoder_options: dict[str, str],
    start: bytes = b"",
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
        read = ", ".join(SAFE_FORMATS)
        raise MediaError(
            "forbidden_format", f"its container format is not one of those that are read: {read}"
        ) from error
    except MemoryError as error:
        raise MediaError("too_many_streams", "it has too many streams to open, or asks for too much memory") from error
    except FFmpegError as error:  # of any number, such as EIO for a Matroska file whose header breaks off
        known = any(start[offset:].startswith(signature) for offset, signature in SIGNATURES)
        raise MediaError("corrupt" if known else "not_media", describe(error)) from error


def declared_duration_s(container: InputContainer) -> float:
    """Duration by the file's header, else by its streams' headers; 0 if neither has one, seconds."""
    if container.duration and container.duration > 0:
        # Matroska counts from zero of its clock, which may be before the first packet.
        before = container.start_time if "matroska" in container.format.name else None
        return (container.duration - max(before or 0, 0)) / av.time_base
    lengths = (
        stream.duration * stream.time_base for stream in container.streams if stream.duration and stream.time_base
    )
    return float(max(lengths, default=0))


def decodable_streams(streams: Sequence[MediaStream]) -> list[MediaStream]:
    """The streams that can be decoded, without cover images; empty if there is none at all.

    Raises:
        MediaError: `unknown_codec`, if there are streams, but no decoder for any of them.
    """
    real = [stream for stream in streams if not stream.disposition & Disposition.attached_pic]
    decodable = [stream for stream in real if cast(object, stream.codec_context) is not None]
    if real and not decodable:
        raise MediaError("unknown_codec", f"no decoder for its {real[0].type} stream")
    return decodable


def prepared_audio(container: InputContainer, index: int) -> AudioStream:
    """An audio stream whose decoder uses one thread, as files are decoded in parallel."""
    stream = cast(AudioStream, container.streams[index])
    stream.codec_context.thread_count = 1
    if stream.codec_context.name in WITH_CHECKSUMS:
        stream.codec_context.options = {"err_detect": "crccheck+explode"}
    return stream


def prepared_video(container: InputContainer, index: int) -> VideoStream:
    """A video stream whose decoder uses one thread, as files are decoded in parallel, and bounded memory."""
    stream = cast(VideoStream, container.streams[index])
    stream.codec_context.thread_count = 1
    stream.codec_context.options = {"max_pixels": str(max(MAX_PIXELS, stream.width * stream.height))}
    return stream


class Packets(Iterable[Packet]):
    """The packets of some streams in file order, once. If the file breaks off, they end; those before are used.

    Attributes:
        broke_off: the demuxer's error that ended the packets; empty if the file was read to its end, or is not yet. A
            file whose end is missing may end without an error.
    """

    def __init__(self, demux: Callable[[], Iterator[Packet]]) -> None:
        self.broke_off = ""
        self._demux = demux

    def __iter__(self) -> Iterator[Packet]:
        while True:
            try:
                for packet in self._demux():
                    if packet.size:  # FFmpeg flushes decoders with an empty one
                        yield packet
            except IndexError:  # from a stream that starts later in the file, which PyAV does not know yet
                continue
            except FFmpegError as error:
                self.broke_off = describe(error)
            return


def packets(container: InputContainer, *streams: Stream) -> Packets:
    """Every packet of `streams` that holds data, in file order."""
    return Packets(partial(container.demux, *streams))


@overload
def decode(stream: VideoStream, packet: Packet[VideoStream] | None) -> list[VideoFrame]: ...
@overload
def decode(stream: AudioStream, packet: Packet[AudioStream] | None) -> list[AudioFrame]: ...
def decode(stream: VideoStream | AudioStream, packet: Packet | None) -> Sequence[VideoFrame | AudioFrame]:
    """Frames of one packet, or, with None, those that the decoder still holds; empty if decoding fails."""
    try:
        return stream.codec_context.decode(packet)
    except FFmpegError:
        return []


def decode_or_none(stream: AudioStream, packet: Packet[AudioStream]) -> list[AudioFrame] | None:
    """Frames of one packet; None if it cannot be decoded."""
    try:
        return stream.codec_context.decode(packet)
    except FFmpegError:
        return None
