"""Hours of video for a benchmark, made in minutes: the packets of a short encoded recording are repeated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import cycle
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.packet import Packet
from av.video.frame import VideoFrame

WIDTH, HEIGHT = 1280, 720
SAMPLE_RATE_HZ = 44_100
TONE_HZ = 440.0
STEPS = 30


@dataclass(frozen=True)
class Recording:
    """Properties of a long file.

    Attributes:
        segment_s: length of the encoded recording, which begins with its only keyframe.
        fps: frames a second; 0 means sound alone.
    """

    segment_s: float
    fps: int


RECORDINGS = {
    "720p h264 and AAC, a keyframe every 4 s": Recording(4.0, 30),
    "720p h264 and AAC, a keyframe every 10 min": Recording(600.0, 10),
    "AAC alone": Recording(60.0, 0),
}


def make_long(recording: Recording, duration_s: float, path: Path) -> None:
    """Write an MP4 file of about `duration_s`."""
    segment = path.with_suffix(".segment.mp4")
    _encode(recording, segment)
    with av.open(str(segment)) as source, av.open(str(path), "w") as target:
        streams = [target.add_stream_from_template(stream) for stream in source.streams]
        rounds = max(round(duration_s / recording.segment_s), 1)
        for turn in range(rounds):
            source.seek(0)
            for packet in source.demux():
                if packet.dts is not None and packet.pts is not None:
                    shift = round(turn * recording.segment_s / packet.time_base)
                    packet.dts, packet.pts = packet.dts + shift, packet.pts + shift
                    packet.stream = streams[packet.stream_index]
                    target.mux(packet)
    segment.unlink()


def _encode(recording: Recording, path: Path) -> None:
    with av.open(str(path), "w") as container:
        audio = container.add_stream("aac", rate=SAMPLE_RATE_HZ, layout="stereo")
        made: list[Iterator[tuple[float, list[Packet]]]] = []
        if recording.fps:
            options = {"preset": "ultrafast", "crf": "30", "sc_threshold": "0"}
            video = container.add_stream("libx264", rate=recording.fps, options=options)
            video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            video.gop_size = round(recording.segment_s * recording.fps)
            made.append((at / recording.fps, video.encode(frame)) for at, frame in enumerate(_frames(recording)))
        made.append((at * 1024 / SAMPLE_RATE_HZ, audio.encode(frame)) for at, frame in enumerate(_sounds(recording)))
        for packets in _in_order_of_time(made):
            container.mux(packets)
        container.mux(audio.encode(None))
        for stream in container.streams.video:
            container.mux(stream.encode(None))


def _in_order_of_time(made: list[Iterator[tuple[float, list[Packet]]]]) -> Iterator[list[Packet]]:
    waiting = {at: next(stream) for at, stream in enumerate(made)}
    while waiting:
        first = min(waiting, key=lambda at: waiting[at][0])
        yield waiting.pop(first)[1]
        following = next(made[first], None)
        if following is not None:
            waiting[first] = following


def _frames(recording: Recording) -> Iterator[VideoFrame]:
    """Noise of a coarse grain that drifts there and back, so that frames cost the decoder about what a scene does."""
    noise = np.random.default_rng(0).integers(60, 190, (HEIGHT // 8, WIDTH // 8, 3), np.uint8)
    scene = noise.repeat(8, axis=0).repeat(8, axis=1)
    there = [_picture(np.roll(scene, 3 * step, axis=1)) for step in range(STEPS)]
    for at, frame in zip(range(round(recording.segment_s * recording.fps)), cycle(there + there[::-1]), strict=False):
        frame.pts, frame.time_base = at, Fraction(1, recording.fps)
        yield frame


def _picture(pixels: np.ndarray) -> VideoFrame:
    return VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="yuv420p")


def _sounds(recording: Recording) -> Iterator[AudioFrame]:
    """A tone in frames of 1,024 samples."""
    for start in range(0, round(recording.segment_s * SAMPLE_RATE_HZ), 1024):
        wave = 0.3 * np.sin(2 * np.pi * TONE_HZ / SAMPLE_RATE_HZ * np.arange(start, start + 1024))
        frame = AudioFrame.from_ndarray(np.stack([wave, wave]).astype(np.float32), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts = SAMPLE_RATE_HZ, start
        yield frame
