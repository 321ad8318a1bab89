"""How long recordings last, and whether their end is missing."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from xmodal_kedro.media.audio_clock import UNTIMED_FORMATS, AudioClock
from xmodal_kedro.media.container import decode, open_file, open_media
from xmodal_kedro.media.frames import Times
from xmodal_kedro.media.joined import JoinedPackets
from xmodal_kedro.media.matroska import is_whole
from xmodal_kedro.media.recording import align
from xmodal_kedro.media.video_clock import VideoClock

ESTIMATING_FORMATS = (
    *("aac", "ac3", "eac3", "dts", "amr", "loas", "mpegts", "mpeg", "dv", "ogg", "nut"),
    *("ivf", "h264", "hevc", "mpegvideo", "m4v", "h263", "mjpeg", "gif", "obu"),
)
"""Formats without a duration. FFmpeg estimates one, by bit rate or by timestamps at the end."""

WRAPPED = 1 << 31
"""FFmpeg's reader of Ogg may give the last packet a duration that went below zero, modulo 2**32."""

AAC_FRAME_SAMPLES = 1024
ADTS_RATES_KHZ = (96, 88.2, 64, 48, 44.1, 32, 24, 22.05, 16, 12, 11.025, 8, 7.35)
"""ISO/IEC 14496-3, table 1.18."""

COUNTING_FROM_ZERO = ("asf",)
"""Formats whose streams have a duration from zero of the file's clock rather than from their own start."""

FRAME_COUNT_MARKERS = (b"Xing", b"Info", b"VBRI")
"""In its first frame an MP3 file may hold the number of its frames; else FFmpeg estimates its duration."""

HEAD_BYTES, JOINED_SHARE = 4096, 16
"""Where that is looked for. A file that is longer than it says by one part in so many is several."""


@dataclass(frozen=True)
class Length:
    """How long a recording lasts.

    Attributes:
        duration_s: from the start of its clock to its last sample or frame; 0 if no packet has a time.
        clock_jumps: points where the file's clock was set.
    """

    duration_s: float
    clock_jumps: int = 0


def length_of(path: str, audio_index: int, video_index: int, enough_s: float = math.inf) -> Length:
    """How long a recording lasts: by an index that lists every frame, else by reading all packets, without decoding.

    Args:
        path: a local path or an fsspec URL.
        audio_index: the audio stream.
        video_index: the video stream; -1 for none.
        enough_s: reading stops once the duration exceeds this.

    Raises:
        MediaError: if the file cannot be opened.
    """
    with open_media(path, glance=True) as container:
        streams = [container.streams[index] for index in (audio_index, video_index) if index >= 0]
        if (indexed_s := _indexed_s(container, streams)) is not None:
            return Length(indexed_s)
        return _measured(path, container, streams, enough_s)


def _indexed_s(container: InputContainer, streams: Sequence[Stream]) -> float | None:
    """Duration by the sample tables of MP4, in which edit lists are counted; None for others and for fragments."""
    if "mov" not in container.format.name or not all(stream.frames and stream.duration for stream in streams):
        return None
    starts_s = [float((stream.start_time or 0) * (stream.time_base or 0)) for stream in streams]
    ends_s = [_stated_end_s(stream) or 0.0 for stream in streams]
    lead_s, origin_s = align(starts_s[0], starts_s[1] if len(streams) > 1 else None)
    return max(lead_s + ends_s[0] - starts_s[0], ends_s[-1] - origin_s)


def _measured(path: str, container: InputContainer, streams: Sequence[Stream], enough_s: float) -> Length:
    video, rest_s = streams[1] if len(streams) > 1 else None, 0.0
    clock = AudioClock(container.format.name not in UNTIMED_FORMATS)
    video_clock = VideoClock(video) if isinstance(video, VideoStream) else None
    first_s, last_s, times = math.inf, -math.inf, Times()
    for packet in JoinedPackets(path, container, streams):
        if video is not None and packet.stream_index == video.index:
            assert video_clock
            for shown in video_clock.look_at(packet, clock.jumps):
                first_s = min(first_s, times.of_packet_s(shown))
                last_s = max(last_s, times.of_packet_s(shown) + _duration_s(shown))
            clock.beside_s = first_s if math.isfinite(first_s) else None
        else:
            stamp_s = None if packet.pts is None else float(packet.pts * packet.time_base)
            clock.add(max(_duration_s(packet) - _skipped_s(packet), 0.0), stamp_s)
        if clock.length_s > enough_s or last_s - first_s > enough_s:
            break
    clock.finish()
    for shown in video_clock.finish(clock.jumps) if video_clock else ():
        last_s = max(last_s, times.of_packet_s(shown) + _duration_s(shown))
    rest_s = sum(edit.change_s for edit in clock.take_edits())
    if clock.start_s is None:
        return Length(max(last_s - first_s, 0.0))
    lead_s, origin_s = align(clock.start_s, first_s if math.isfinite(first_s) else None)
    return Length(max(lead_s + clock.length_s + rest_s, last_s - origin_s), len(clock.jumps))


def _duration_s(packet: Packet) -> float:
    """Duration of a packet, seconds. Where none is stated, audio is decoded: some of its frames vary."""
    stream = packet.stream
    if stream.container.format.name == "aac" and (seconds := _adts_duration_s(packet)):
        return seconds
    if packet.duration and packet.duration < WRAPPED:
        return float(packet.duration * packet.time_base)
    if isinstance(stream, VideoStream):
        return float(1 / stream.average_rate) if stream.average_rate else 0.0
    assert isinstance(stream, AudioStream)
    context = stream.codec_context
    if not context.sample_rate:
        return 0.0
    if context.name.startswith("pcm_") and context.format and context.channels:
        return float(packet.size / (_pcm_bytes(context.name) * context.channels * context.sample_rate))
    return sum(frame.samples / frame.sample_rate for frame in decode(stream, packet) if frame.sample_rate)


def _adts_duration_s(packet: Packet) -> float:
    """Duration of a frame of AAC by its own header, as the sample rate may change; 0 if it has none, seconds."""
    header = bytes(memoryview(packet)[:4])
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xF6 != 0xF0:
        return 0.0
    index = header[2] >> 2 & 0xF
    return AAC_FRAME_SAMPLES / (1000 * ADTS_RATES_KHZ[index]) if index < len(ADTS_RATES_KHZ) else 0.0


def _pcm_bytes(codec: str) -> int:
    """Bytes of a sample of a PCM codec, such as 3 for pcm_s24le and 1 for pcm_mulaw."""
    return next((bits // 8 for bits in (16, 24, 32, 64) if str(bits) in codec), 1)


def _skipped_s(packet: Packet) -> float:
    """Duration of what a decoder leaves out of a packet, as the encoder's delay or padding, seconds."""
    stream = packet.stream
    if not isinstance(stream, AudioStream) or not stream.codec_context.sample_rate:
        return 0.0
    if not packet.has_sidedata("skip_samples"):
        return 0.0
    data = bytes(packet.get_sidedata("skip_samples"))
    samples = int.from_bytes(data[:4], "little") + int.from_bytes(data[4:8], "little")
    return samples / stream.codec_context.sample_rate


def lost_end_s(path: str, container: InputContainer, streams: Sequence[Stream], end_s: float) -> float:
    """What is missing at the end of a file by a duration that its writer stated, seconds; 0 if none is stated.

    Args:
        path: of the file.
        container: the open file.
        streams: the streams that were read.
        end_s: the end of their last packet, on the file's clock.
    """
    if container.format.name in ESTIMATING_FORMATS or (container.format.name == "mp3" and not _counts_frames(path)):
        return 0.0
    if "matroska" in container.format.name:
        with open_file(path) as file:
            if is_whole(file):  # what writers copied of another file's durations means nothing
                return 0.0
    stated_s = [stated for stream in streams if (stated := _stated_end_s(stream)) is not None]
    if len(stated_s) < len(streams) and container.duration:
        start_s = 0.0 if "matroska" in container.format.name else (container.start_time or 0) / av.time_base
        stated_s = [start_s + container.duration / av.time_base]
    return max(max(stated_s, default=0.0) - end_s, 0.0)


def _stated_end_s(stream: Stream) -> float | None:
    """End of a stream by its own header, on the file's clock, seconds; None if there is none."""
    if "matroska" in stream.container.format.name:
        clock = stream.metadata.get("DURATION", "").split(":")
        try:
            return sum(float(part) * 60**power for power, part in enumerate(reversed(clock)))
        except ValueError:
            return None
    if stream.container.format.name == "avi":  # FFmpeg counts only the frames that are there
        if isinstance(stream, VideoStream) and stream.average_rate:
            return float(stream.frames / stream.average_rate)
        return 0.0
    if stream.duration and stream.time_base:
        start = 0 if stream.container.format.name in COUNTING_FROM_ZERO else stream.start_time or 0
        return float((start + stream.duration) * stream.time_base)
    return None


def _counts_frames(path: str) -> bool:
    """Whether an MP3 file holds the number of its frames, and not that of the first of several joined files."""
    with open_file(path) as file:
        head = file.read(10)
        tag_bytes = 0
        if head[:3] == b"ID3":
            tag_bytes = 10 + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
        file.seek(tag_bytes)
        start = file.read(HEAD_BYTES)
        actual = file.seek(0, os.SEEK_END) - tag_bytes
    found = [(start.find(marker), marker) for marker in FRAME_COUNT_MARKERS if marker in start]
    if not found:
        return False
    at, marker = min(found)
    stated = _stated_bytes(start[at : at + 16], marker)
    return not stated or actual <= stated + stated / JOINED_SHARE


def _stated_bytes(tag: bytes, marker: bytes) -> int:
    """Bytes of an MP3 file by the tag in its first frame; 0 if it does not say."""
    if len(tag) < 16:
        return 0
    if marker == b"VBRI":
        return int.from_bytes(tag[10:14], "big")
    flags = int.from_bytes(tag[4:8], "big")
    place = 12 if flags & 1 else 8
    return int.from_bytes(tag[place : place + 4], "big") if flags & 2 else 0
