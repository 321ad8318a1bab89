"""Tiny media files whose audio and frames encode the time."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import av
import cv2
import numpy as np

FPS = 10
RATE_HZ = 48_000
DARKEST, GREY_STEP, DIGIT = 20, 12, 16
BEEP_S = 0.1

Options = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Coding:
    """A container with its codecs.

    Attributes:
        scene_threshold: of x264; keeps it from setting keyframes at changes of scene.
        muxer: name of the container format if the suffix does not imply it.
    """

    suffix: str
    video: str
    audio: str
    pixels: str = "yuv420p"
    b_frames: int = 0
    scene_threshold: str = "1000000000"
    muxer: str | None = None
    muxer_options: Options = ()
    video_options: Options = ()
    audio_options: Options = ()
    fps: int = FPS
    size: tuple[int, int] = (96, 64)
    rate_hz: int = RATE_HZ
    layout: str = "mono"

    def __str__(self) -> str:
        options = "".join(f"-{value}" for _, value in self.muxer_options)
        return f"{self.muxer or self.suffix[1:]}-{self.video}{'-b' if self.b_frames else ''}-{self.audio}{options}"


CODINGS = [
    Coding(".mp4", "libx264", "aac", b_frames=2, scene_threshold="0"),
    Coding(".mov", "mjpeg", "pcm_s16le", "yuvj420p"),
    Coding(".mkv", "libx264", "ac3", b_frames=2, scene_threshold="0"),
    Coding(".webm", "libvpx", "libopus"),
    Coding(".avi", "mpeg4", "pcm_s16le"),
    Coding(".ts", "mpeg2video", "mp2"),
    Coding(".flv", "flv", "libmp3lame"),
]


def beeps(duration_s: float, rate_hz: int = RATE_HZ, at_s: Iterable[float] | None = None) -> np.ndarray:
    """A 1 kHz tone of `BEEP_S` at the start of every second, or at the times `at_s`: float32 [samples]."""
    time_s = np.arange(round(duration_s * rate_hz)) / rate_hz
    sound = np.zeros(time_s.size, np.float32)
    for start_s in range(int(np.ceil(duration_s))) if at_s is None else at_s:
        sounding = slice(*np.searchsorted(time_s, [start_s, start_s + BEEP_S]))
        sound[sounding] = 0.5 * np.sin(2 * np.pi * 1000 * time_s[sounding])
    return sound


@dataclass(frozen=True)
class Frames:
    """How the frames of a file lie in time and are coded.

    Attributes:
        numbers: of the frames to write, each at its time; the rest are left out. All without it.
        start_s: what is added to their presentation times.
        keyframe_every: frames from one keyframe to the next.
    """

    numbers: Sequence[int] | None = None
    start_s: float = 0.0
    keyframe_every: int = 10
    rotation_deg: int = 0


@contextmanager
def ordinary_priority() -> Iterator[None]:
    """Afterwards this thread has a normal priority again: SVT-AV1, run by root, takes all of a core for itself."""
    try:
        yield
    finally:
        if hasattr(os, "sched_setscheduler"):
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def write_media(
    path: Path,
    coding: Coding = CODINGS[0],
    duration_s: float = 9.0,
    *,
    sound: np.ndarray | None = None,
    pictures_s: float | None = None,
    sound_starts_s: float = 0.0,
    frames: Frames = Frames(),
    live: bool = False,
) -> Path:
    """Write a file whose frames are numbered by their greys and whose audio has a beep every second.

    Args:
        sound: float32 [samples] at the coding's rate in place of the beeps; empty for no audio stream.
        pictures_s: length of the video stream, if not `duration_s`; 0 for none.
        sound_starts_s: what is added to the presentation times of the sound.
        live: write as one would to a network, without a duration in the header (Matroska alone).
    """
    fps, rate_hz = coding.fps, coding.rate_hz
    sound = beeps(duration_s, rate_hz) if sound is None else sound
    options = dict(coding.muxer_options) | ({"live": "1"} if live else {})
    with ordinary_priority(), av.open(str(path), "w", format=coding.muxer, options=options) as container:
        frame_count = round((duration_s if pictures_s is None else pictures_s) * fps)
        numbers = range(frame_count) if frames.numbers is None else frames.numbers
        video = audio = None
        if frame_count:
            width, height = coding.size
            video = container.add_stream(coding.video, rate=fps, width=width, height=height, pix_fmt=coding.pixels)
            video.codec_context.thread_count = 1  # threads of VP8 wait for one another in loops
            video.codec_context.gop_size = frames.keyframe_every
            video.codec_context.max_b_frames = coding.b_frames
            video.bit_rate = 2_000_000
            video.options = {"sc_threshold": coding.scene_threshold} | dict(coding.video_options)
            if frames.rotation_deg:
                video.set_display_rotation(frames.rotation_deg)
        if sound.size:
            audio = container.add_stream(coding.audio, rate=rate_hz, layout=coding.layout)
            audio.options = dict(coding.audio_options)
        for index in range(frame_count):
            if index in numbers:
                frame = _frame(index, coding.size, coding.pixels)
                frame.pts, frame.time_base = index + round(frames.start_s * fps), Fraction(1, fps)
                container.mux(video.encode(frame))
            if audio:
                part = slice(index * rate_hz // fps, (index + 1) * rate_hz // fps)
                container.mux(_encode(audio, sound[part], part.start, sound_starts_s, coding))
        if audio:
            start = frame_count * rate_hz // fps
            container.mux(_encode(audio, sound[start:], start, sound_starts_s, coding))
            container.mux(audio.encode(None))
        if video:
            container.mux(video.encode(None))
    return path


def picture(index: int, width: int = 96, height: int = 64) -> np.ndarray:
    """An image, uint8 [height, width, 3], whose halves' greys are the digits of its index, with a white top left
    corner."""
    image = np.empty((height, width, 3), np.uint8)
    image[:, : width // 2], image[:, width // 2 :] = (DARKEST + GREY_STEP * digit for digit in divmod(index, DIGIT))
    image[: height // 4, : width // 6] = 255
    return image


def shown_time_s(jpeg: bytes, fps: int = FPS) -> float:
    """The time for which an image was made."""
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    return shown_number(image) / fps


def shown_number(image: np.ndarray) -> int:
    """The index of an image, grey [height, width], that `picture` made."""
    height, width = image.shape
    rows = slice(height * 3 // 8, height * 5 // 8)
    high, low = (
        round((float(image[rows, part].mean()) - DARKEST) / GREY_STEP)
        for part in (slice(width // 12, width * 5 // 12), slice(width * 7 // 12, width * 11 // 12))
    )
    return high * DIGIT + low


def onsets_s(audio: np.ndarray, rate_hz: int = 16_000) -> np.ndarray:
    """Start times of beeps in int16 [samples], seconds. A beep that began before does not count."""
    loud = np.flatnonzero(np.abs(audio.astype(np.int32)) > 4000)
    starts = loud[np.diff(loud, prepend=-rate_hz) > rate_hz // 20]
    return starts[starts > rate_hz // 100] / rate_hz


@lru_cache(maxsize=512)
def _frame(index: int, size: tuple[int, int], pixels: str) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(picture(index, *size), format="rgb24").reformat(format=pixels, threads=1)


def _encode(
    audio: av.AudioStream, sound: np.ndarray, start: int, sound_starts_s: float, coding: Coding
) -> list[av.Packet]:
    if not sound.size:
        return []
    channels = av.AudioLayout(coding.layout).nb_channels
    frame = av.AudioFrame.from_ndarray(np.repeat(sound, channels)[None], format="flt", layout=coding.layout)
    frame.sample_rate, frame.time_base = coding.rate_hz, Fraction(1, coding.rate_hz)
    frame.pts = start + round(sound_starts_s * coding.rate_hz)
    return audio.encode(frame)
