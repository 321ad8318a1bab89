"""Films with cuts at known times, and a minimal demuxer that runs a `ShotBoundaryDetector` on them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.reformatter import VideoReformatter

from tests.media.synthetic import ordinary_priority
from xmodal_kedro.media.shots.boundaries import ShotBoundaryDetector
from xmodal_kedro.media.shots.packet_evidence import Gop
from xmodal_kedro.media.shots.thumbnails import luma_thumbnail

WIDTH, HEIGHT, FPS = 320, 180, 10
CUTS_S = (4.1, 4.7, 9.7, 13.3, 20.4, 20.9, 29.5, 31.2, 33.0, 40.3, 44.8, 48.9, 51.5, 52.3)
"""Fourteen cuts in a minute, shots of 0.5 to 9 seconds, some right after a keyframe or after one another."""
KEYFRAME_SPACING_S = 1.5


@dataclass(frozen=True)
class Shot:
    """One camera's view of one scene.

    Attributes:
        pan: pixels a second; zoom: factor a second; shake: pixels; noise: standard deviation of grey levels;
        objects: number of things that move through the frame.
    """

    seed: int
    pan: float = 0.0
    zoom: float = 1.0
    shake: float = 0.0
    noise: float = 0.0
    objects: int = 0


MOTIONS = (
    Shot(0, pan=40),
    Shot(0, objects=4),
    Shot(0, zoom=1.08),
    Shot(0, noise=6),
    Shot(0, shake=3),
    Shot(0, pan=120, objects=2, noise=3),
)


def film(
    cuts_s: Iterable[float] = CUTS_S, duration_s: float = 60.0, *, fps: int = FPS, scale: int = 1, seed: int = 0
) -> Iterator[np.ndarray]:
    """Shots that differ in scene and motion, rgb24 [180 x scale, 320 x scale, 3]."""
    for index, (start_s, end_s) in enumerate(pairwise((0.0, *cuts_s, duration_s))):
        motion = MOTIONS[(index + seed) % len(MOTIONS)]
        frames = round(end_s * fps) - round(start_s * fps)
        yield from shoot(replace(motion, seed=100 * seed + index), frames, fps=fps, scale=scale)


def shoot(shot: Shot, frames: int, *, fps: int = FPS, scale: int = 1) -> Iterator[np.ndarray]:
    """The frames of one shot."""
    rng = np.random.default_rng(shot.seed)
    scenery = _scenery(rng, scale)
    width, height = WIDTH * scale, HEIGHT * scale
    angle = rng.uniform(0, 2 * np.pi)
    starts, speeds = rng.uniform(0, 1, (shot.objects, 2)), rng.uniform(-0.3, 0.3, (shot.objects, 2))
    colours = rng.integers(0, 256, (shot.objects, 3)).tolist()
    for index in range(frames):
        time_s = index / fps
        zoom = shot.zoom**time_s
        shift = shot.pan * scale * time_s * np.array([np.cos(angle), np.sin(angle)]) + rng.normal(
            0, shot.shake * scale, 2
        )
        view = np.float32([[zoom, 0, width * (1 - zoom) / 2 - shift[0]], [0, zoom, height * (1 - zoom) / 2 - shift[1]]])
        picture = cv2.warpAffine(scenery, view, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        for start, speed, colour in zip(starts, speeds, colours, strict=True):
            x, y = (start + speed * time_s) % 1
            cv2.circle(picture, (int(x * width), int(y * height)), height // 8, colour, -1)
        if shot.noise:
            picture = np.clip(picture + rng.normal(0, shot.noise, picture.shape), 0, 255).astype(np.uint8)
        yield picture


def _scenery(rng: np.random.Generator, scale: int) -> np.ndarray:
    """Clouds of every size with some hard-edged shapes in them, as wide as the frame and periodic."""
    size = (WIDTH * scale, HEIGHT * scale)
    picture = np.zeros((size[1], size[0], 3), np.float32)
    for cells, contrast in ((3, 60), (12, 30), (50, 12)):
        clouds = rng.normal(0, contrast, (cells, cells * 16 // 9, 3)).astype(np.float32)
        picture += cv2.resize(clouds, size, interpolation=cv2.INTER_CUBIC)
    picture = np.clip(picture + rng.uniform(80, 170), 0, 255).astype(np.uint8)
    for _ in range(6):
        corner, extent = rng.uniform(0, 1, 2) * size, rng.uniform(0.05, 0.3, 2) * size
        cv2.rectangle(picture, corner.astype(int), (corner + extent).astype(int), rng.integers(0, 256, 3).tolist(), -1)
    return picture


@dataclass(frozen=True)
class Encoding:
    """Encoding of a film: a `gop_size` in frames, and options of the encoder."""

    codec: str
    suffix: str = ".mp4"
    pixels: str = "yuv420p"
    gop_size: int | None = None
    bit_rate: int | None = None
    b_frames: int | None = None
    options: dict[str, str] = field(default_factory=dict)


def write_film(path: Path, encoding: Encoding, pictures: Iterable[np.ndarray], fps: int = FPS) -> Path:
    """Encode frames, the first at time zero."""
    with ordinary_priority(), av.open(str(path.with_suffix(encoding.suffix)), "w") as container:
        stream = None
        convert = VideoReformatter().reformat  # prepares itself once for all frames
        for index, picture in enumerate(pictures):
            if stream is None:
                height, width = picture.shape[:2]
                stream = container.add_stream(
                    encoding.codec, rate=fps, width=width, height=height, options=encoding.options
                )
                stream.pix_fmt = encoding.pixels
                stream.codec_context.thread_count = 1
                if encoding.gop_size is not None:
                    stream.codec_context.gop_size = encoding.gop_size
                if encoding.bit_rate is not None:
                    stream.bit_rate = encoding.bit_rate
                if encoding.b_frames is not None:
                    stream.codec_context.max_b_frames = encoding.b_frames
            frame = convert(av.VideoFrame.from_ndarray(picture, format="rgb24"), format=encoding.pixels, threads=1)
            frame.pts, frame.time_base = index, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path.with_suffix(encoding.suffix)


class Demuxer:
    """Runs a `ShotBoundaryDetector` on a file: keyframes `KEYFRAME_SPACING_S` apart are decoded, others on demand."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.decoded_on_demand = 0

    def cuts(self) -> list[float]:
        """Cuts, seconds, in the order in which they are returned."""
        finder, found = ShotBoundaryDetector(self._reference_thumbnails), []
        with av.open(str(self._path)) as container:
            stream = container.streams.video[0]
            self._context, self._time_base = stream.codec_context, stream.time_base
            self._context.thread_count = 1
            gop, decoded_s = None, -np.inf
            for packet in container.demux(stream):
                if not packet.size:
                    continue
                time_s = float((packet.dts if packet.pts is None else packet.pts) * packet.time_base)
                if packet.is_keyframe:
                    luma = None
                    if time_s - decoded_s >= KEYFRAME_SPACING_S:
                        luma, decoded_s = self._keyframe(packet), time_s
                    if gop:
                        found += finder.look_at(gop, (time_s, luma))
                    gop = Gop([], [], [], luma)
                for column, value in ((gop.packets, packet), (gop.times_s, time_s), (gop.sizes, packet.size)):
                    column.append(value)
            return found + finder.look_at(gop, None)

    def _keyframe(self, packet: av.Packet) -> np.ndarray:
        frame = (self._context.decode(packet) + self._context.decode(None))[0]
        self._context.flush_buffers()
        return luma_thumbnail(frame)

    def _reference_thumbnails(self, gop: Gop) -> Iterator[tuple[float, np.ndarray]]:
        self._context.skip_frame = "NONREF"
        try:
            for packet in (*gop.packets, None):
                for frame in self._context.decode(packet):
                    self.decoded_on_demand += 1
                    yield float(frame.pts * self._time_base), luma_thumbnail(frame)
        finally:
            self._context.flush_buffers()
            self._context.skip_frame = "DEFAULT"
