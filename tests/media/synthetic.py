"""Tiny media files whose sound and pictures tell the time."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

FPS = 10
RATE_HZ = 48_000
DARKEST, GREY_STEP, DIGIT = 20, 12, 16
BEEP_S = 0.1


@dataclass(frozen=True)
class Coding:
    """A container with its codecs; `scene_threshold` keeps an encoder from setting keyframes at changes of scene."""

    suffix: str
    video: str
    audio: str
    pixels: str = "yuv420p"
    b_frames: int = 0
    scene_threshold: str = "1000000000"


CODINGS = [
    Coding(".mp4", "libx264", "aac", b_frames=2, scene_threshold="0"),
    Coding(".mov", "mjpeg", "pcm_s16le", "yuvj420p"),
    Coding(".mkv", "libx264", "ac3", b_frames=2, scene_threshold="0"),
    Coding(".webm", "libvpx", "libopus"),
    Coding(".avi", "mpeg4", "pcm_s16le"),
    Coding(".ts", "mpeg2video", "mp2"),
    Coding(".flv", "flv", "libmp3lame"),
]


def beeps(duration_s: float, rate_hz: int = RATE_HZ) -> np.ndarray:
    """A 1 kHz tone at the start of every second: float32 [samples]."""
    time_s = np.arange(round(duration_s * rate_hz)) / rate_hz
    return np.where(time_s % 1 < BEEP_S, 0.5 * np.sin(2 * np.pi * 1000 * time_s), 0).astype(np.float32)


def write_media(
    path: Path,
    coding: Coding = CODINGS[0],
    duration_s: float = 9.0,
    *,
    sound: np.ndarray | None = None,
    pictures_s: float | None = None,
    keyframe_every: int = 10,
    sound_starts_s: float = 0.0,
    rotation_deg: int = 0,
    live: bool = False,
) -> Path:
    """Write a file whose frames are numbered by their greys and whose sound beeps every second.

    Args:
        sound: float32 [samples] at `RATE_HZ` in place of the beeps; empty for no audio stream.
        pictures_s: length of the video stream, if not `duration_s`; 0 for none.
        sound_starts_s: presentation time of the first sample.
        live: write as one would to a network, without a duration in the header (Matroska alone).
    """
    sound = beeps(duration_s) if sound is None else sound
    with av.open(str(path), "w", options={"live": "1"} if live else {}) as container:
        frame_count = round((duration_s if pictures_s is None else pictures_s) * FPS)
        video = audio = None
        if frame_count:
            video = container.add_stream(coding.video, rate=FPS, width=96, height=64, pix_fmt=coding.pixels)
            video.codec_context.gop_size = keyframe_every
            video.codec_context.max_b_frames = coding.b_frames
            video.bit_rate = 2_000_000
            video.options = {"sc_threshold": coding.scene_threshold}
            if rotation_deg:
                video.set_display_rotation(rotation_deg)
        if sound.size:
            audio = container.add_stream(coding.audio, rate=RATE_HZ, layout="mono")
        for index in range(frame_count):
            frame = av.VideoFrame.from_ndarray(picture(index), format="rgb24").reformat(format=coding.pixels)
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            container.mux(video.encode(frame))
            if audio:
                part = slice(index * RATE_HZ // FPS, (index + 1) * RATE_HZ // FPS)
                container.mux(_encode(audio, sound[part], part.start, sound_starts_s))
        if audio:
            start = frame_count * RATE_HZ // FPS
            container.mux(_encode(audio, sound[start:], start, sound_starts_s))
            container.mux(audio.encode(None))
        if video:
            container.mux(video.encode(None))
    return path


def picture(index: int) -> np.ndarray:
    """A picture, uint8 [64, 96, 3], whose halves' greys are the digits of its index, with a white top left corner."""
    image = np.empty((64, 96, 3), np.uint8)
    image[:, :48], image[:, 48:] = (DARKEST + GREY_STEP * digit for digit in divmod(index, DIGIT))
    image[:16, :16] = 255
    return image


def shown_time_s(jpeg: bytes) -> float:
    """The time that a picture was made for."""
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    high, low = (
        round((float(image[24:, part].mean()) - DARKEST) / GREY_STEP) for part in (slice(8, 40), slice(56, 88))
    )
    return (high * DIGIT + low) / FPS


def _encode(audio: av.AudioStream, sound: np.ndarray, start: int, sound_starts_s: float) -> list[av.Packet]:
    if not sound.size:
        return []
    frame = av.AudioFrame.from_ndarray(sound[None], format="flt", layout="mono")
    frame.sample_rate, frame.time_base = RATE_HZ, Fraction(1, RATE_HZ)
    frame.pts = start + round(sound_starts_s * RATE_HZ)
    return audio.encode(frame)
