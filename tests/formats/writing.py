"""Writes the file of a row with PyAV, as its device would."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition
from numpy.typing import NDArray

from tests.formats.master import FPS, HEIGHT, SECONDS, WIDTH, image, sound
from tests.formats.rows import VIDEO_OPTIONS, Row

EVERY = range(round(SECONDS * FPS))
FRAME_SAMPLES = 960
"""Of the frames that are given to audio encoders."""
KEYFRAME_EVERY = 25


@dataclass(frozen=True)
class Shape:
    """What a device does with what it records.

    Attributes:
        numbers: of the frames that are written, each at its time.
        turned_deg: counter-clockwise turn for display.
        tracks: gain of the sound in each audio track.
        gains: of the channels of a track, in their order; 1 beyond them.
        arrival: presentation time of an audio packet, seconds, from its true one and its number.
        start_s: what is added to all presentation times.
        late_s: what is left out at the beginning of the sound.
        cover: whether a picture is attached.
        cut_s: what a copy without re-encoding cut away at the beginning.
        joined: whether the file is two, one after the other.
        stamps_mislead: whether the times in the file are not those of the recording: then its clock is that of the
            samples, one after the other, and frames belong where they were recorded.
        stamps_off_s: how far the times in the file are off, which nobody can know better.
    """

    numbers: tuple[int, ...] = tuple(EVERY)
    turned_deg: int = 0
    tracks: tuple[float, ...] = (1.0,)
    gains: tuple[float, ...] = ()
    arrival: Callable[[float, int], float] = lambda true_s, number: true_s
    start_s: float = 0.0
    late_s: float = 0.0
    cover: bool = False
    cut_s: float = 0.0
    joined: bool = False
    stamps_mislead: bool = False
    stamps_off_s: float = 0.0


def in_bursts(true_s: float, number: int) -> float:
    """A camera that sends what it recorded five times a second, and stamps it then."""
    return float(np.ceil(true_s * 5)) / 5


def jittered(true_s: float, number: int) -> float:
    """A camera that stamps sound when it comes, up to 0.1 s late."""
    return true_s + 0.1 * float(np.random.default_rng(number // 3).random())


SHAPES: dict[str, Shape] = {
    "plain": Shape(),
    "phone, held upright": Shape(turned_deg=270),
    "phone, held upside down": Shape(turned_deg=180),
    "camcorder, four mono tracks": Shape(tracks=(1.0, 0.5, 0.0, 0.0)),
    "camcorder, two mono tracks": Shape(tracks=(1.0, 0.7)),
    "recorder, silent first track": Shape(tracks=(0.0, 1.0)),
    "screen recording, uneven frames": Shape(tuple(n for n in EVERY if (n * n) % 11 < 3 or n % 40 == 0)),
    "network camera, sound in bursts": Shape(arrival=in_bursts, stamps_mislead=True, stamps_off_s=0.2),
    "network camera, jittered sound": Shape(arrival=jittered, stamps_mislead=True, stamps_off_s=0.1),
    "broadcast, clock at 26 hours": Shape(start_s=93_600.0),
    "cut copy, edit list": Shape(cut_s=1.48),
    "CMAF": Shape(stamps_mislead=True),
    "fragments": Shape(),
    "two recordings joined": Shape(joined=True, stamps_mislead=True),
    "sound begins a second late": Shape(late_s=1.0),
    "slide show, a frame every two seconds": Shape((0, 50, 100, 150, 174)),
    "still picture under sound": Shape((0, 174)),
    "song with a cover": Shape(cover=True),
    "right channel inverted": Shape(gains=(1.0, -1.0)),
}


def write(path: Path, row: Row) -> None:
    """Write the file of a row."""
    shape = SHAPES[row.shape]
    with ordinary_priority():
        if shape.joined:
            half = max(EVERY) // 2 // KEYFRAME_EVERY * KEYFRAME_EVERY
            parts = (tuple(n for n in EVERY if n < half), tuple(n for n in EVERY if n >= half))
            with path.open("wb") as joined:
                for number, numbers in enumerate(parts):
                    part = path.with_name(f"part{number}{path.suffix}")
                    _write_part(part, row, replace(shape, numbers=numbers), numbers[0] / FPS, (numbers[-1] + 1) / FPS)
                    joined.write(part.read_bytes())
        elif shape.cut_s:
            whole = path.with_name(f"whole{path.suffix}")
            _write_part(whole, row, shape, 0.0, SECONDS)
            _copy_from(whole, path, shape.cut_s)
        else:
            _write_part(path, row, shape, 0.0, SECONDS)


@contextmanager
def ordinary_priority() -> Iterator[None]:
    """Afterwards this thread has a normal priority again: SVT-AV1, run by root, takes all of a core for itself."""
    os.environ.setdefault("SVT_LOG", "-1")
    try:
        yield
    finally:
        if hasattr(os, "sched_setscheduler"):
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def _write_part(path: Path, row: Row, shape: Shape, from_s: float, to_s: float) -> None:
    with av.open(str(path), "w", format=row.muxer, options=dict(row.muxer_options)) as container:
        video = _video_stream(container, row, shape) if row.video else None
        audios = [_audio_stream(container, row) for _ in shape.tracks]
        cover = _cover_stream(container) if shape.cover else None
        packets: list[tuple[float, av.Packet]] = []
        if video is not None:
            packets += [(_time_s(packet), packet) for packet in _video_packets(video, row, shape, from_s)]
        for audio, gain in zip(audios, shape.tracks, strict=True):
            packets += _audio_packets(audio, row, shape, gain, (from_s, to_s))
        if cover is not None:
            container.mux(_cover_packet(cover))
        for _, packet in sorted(packets, key=lambda each: each[0]):
            container.mux(packet)


def _video_stream(container: av.container.OutputContainer, row: Row, shape: Shape) -> av.VideoStream:
    stream = container.add_stream(row.video, rate=FPS, width=WIDTH, height=HEIGHT, pix_fmt=row.pixels)
    stream.codec_context.thread_count = 1  # threads of VP8 wait for one another in loops
    stream.codec_context.gop_size = KEYFRAME_EVERY
    stream.codec_context.max_b_frames = row.b_frames
    stream.codec_context.time_base = Fraction(1, FPS)
    stream.bit_rate = 1_500_000
    stream.options = dict(VIDEO_OPTIONS.get(row.video, ()))
    if shape.turned_deg:
        stream.set_display_rotation(shape.turned_deg)
    return stream


def _audio_stream(container: av.container.OutputContainer, row: Row) -> av.AudioStream:
    stream = container.add_stream(row.audio, rate=row.audio_rate_hz, layout=row.layout)
    stream.options = dict(row.audio_options)
    return stream


def _cover_stream(container: av.container.OutputContainer) -> av.VideoStream:
    stream = container.add_stream("mjpeg", rate=FPS, width=WIDTH, height=HEIGHT, pix_fmt="yuvj420p")
    stream.disposition = Disposition.attached_pic
    return stream


def _cover_packet(stream: av.VideoStream) -> list[av.Packet]:
    packets = [*stream.encode(_frame(0, "yuvj420p", 0.0)), *stream.encode(None)]
    for packet in packets:
        packet.stream = stream
    return packets


def _frame(number: int, pixels: str, time_s: float) -> av.VideoFrame:
    grey = av.VideoFrame.from_ndarray(image(number), format="gray")
    frame = grey.reformat(format=pixels, src_color_range="JPEG", threads=1)
    frame.pts, frame.time_base = round(time_s * FPS), Fraction(1, FPS)
    return frame


def _video_packets(stream: av.VideoStream, row: Row, shape: Shape, from_s: float) -> Iterator[av.Packet]:
    for number in shape.numbers:
        yield from stream.encode(_frame(number, row.pixels, number / FPS - from_s + shape.start_s))
    yield from stream.encode(None)


def _audio_packets(
    stream: av.AudioStream, row: Row, shape: Shape, gain: float, span_s: tuple[float, float]
) -> Iterator[tuple[float, av.Packet]]:
    """Packets with their true times, by which they are interleaved, and the stamps that the device gives them."""
    rate_hz, (from_s, to_s) = row.audio_rate_hz, span_s
    samples = gain * sound(rate_hz)[round((from_s + shape.late_s) * rate_hz) : round(to_s * rate_hz)]
    encoded: list[av.Packet] = []
    for first in range(0, samples.size, FRAME_SAMPLES):
        encoded += stream.encode(_audio_frame(samples[first : first + FRAME_SAMPLES], row, shape, first))
    encoded += stream.encode(None)
    earliest = -(1 << 62)
    for number, packet in enumerate(encoded):
        true_s = _time_s(packet)
        stamp = max(round(shape.arrival(true_s, number) / packet.time_base), earliest)
        earliest = stamp + max(1, round(0.001 / packet.time_base))  # muxers want times that grow
        packet.pts = packet.dts = stamp
        yield true_s, packet


def _audio_frame(samples: NDArray[np.float32], row: Row, shape: Shape, first: int) -> av.AudioFrame:
    channels = av.AudioLayout(row.layout).nb_channels
    gains = np.array([*shape.gains, *[1.0] * channels][:channels], np.float32)
    if row.layout == "5.1":
        gains[3] = 0.0  # LFE
    interleaved = np.ascontiguousarray((samples[:, None] * gains).reshape(1, -1))
    frame = av.AudioFrame.from_ndarray(interleaved, format="flt", layout=row.layout)
    frame.sample_rate, frame.time_base = row.audio_rate_hz, Fraction(1, row.audio_rate_hz)
    frame.pts = first + round((shape.start_s + shape.late_s) * row.audio_rate_hz)
    return frame


def _time_s(packet: av.Packet) -> float:
    stamp = packet.dts if packet.dts is not None else packet.pts
    return float((stamp or 0) * packet.time_base)


def _copy_from(source: Path, target: Path, start_s: float) -> None:
    """Copy what is shown from `start_s` on, from the keyframe before it, without decoding."""
    with av.open(str(source)) as given, av.open(str(target), "w") as taken:
        streams = {stream.index: taken.add_stream_from_template(stream) for stream in given.streams}
        keyframe_s = start_s // (KEYFRAME_EVERY / FPS) * (KEYFRAME_EVERY / FPS)
        for packet in given.demux():
            if packet.dts is None:
                continue
            from_s = keyframe_s if packet.stream.type == "video" else start_s
            if packet.pts * packet.time_base < from_s - 0.001:
                continue
            shift = round(start_s / packet.time_base)
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            packet.stream = streams[packet.stream.index]
            taken.mux(packet)
