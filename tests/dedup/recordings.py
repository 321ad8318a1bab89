"""Recordings that can be encoded in many ways, and clips of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pandas as pd
import pyarrow as pa

from tests.fakes import MemoryShard
from xmodal_kedro.dedup.signature import sign_shard
from xmodal_kedro.media.clip_rows import ClipRow
from xmodal_kedro.media.clipper import clip_file
from xmodal_kedro.params import ClipParams
from xmodal_kedro.schemas import CLIPS_ARROW

FPS = 10
RATE_HZ = 48_000
DURATION_S = 12


@dataclass(frozen=True)
class Encoding:
    """How a recording is written: codecs, and changes made before."""

    suffix: str = ".mp4"
    video: str = "libx264"
    audio: str = "aac"
    rate_hz: int = RATE_HZ
    layout: str = "mono"
    bit_rate: int = 96_000
    gain_db: float = 0.0
    trimmed_s: float = 0.0
    width: int = 160
    keyframe_every: int = 20
    mirrored: bool = False
    speed: float = 1.0


def sound_of(seed: int, duration_s: float = DURATION_S) -> np.ndarray:
    """Audio that always changes: bursts of noise and gliding tones; float32 [samples]."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    loudness = np.interp(time_s, np.arange(0, duration_s + 0.2, 0.1), rng.random(round(duration_s * 10) + 2) ** 2)
    sound = 0.1 * loudness * rng.standard_normal(time_s.size)
    for _ in range(4):
        hz = np.interp(time_s, np.arange(duration_s + 1), rng.uniform(150, 2500, int(duration_s) + 1))
        swell = np.interp(time_s, np.arange(0, duration_s + 0.5, 0.25), rng.random(round(duration_s * 4) + 2))
        sound += 0.06 * swell * np.sin(2 * np.pi * np.cumsum(hz) / RATE_HZ)
    return sound.astype(np.float32)


def picture_of(seed: int, time_s: float, width: int) -> np.ndarray:
    """A scene of soft patches that changes every three seconds: uint8 [height, width, 3]."""
    rng = np.random.default_rng([seed, int(time_s / 3)])
    scene = cv2.resize(rng.integers(0, 255, (6, 8, 3), np.uint8), (160, 120), interpolation=cv2.INTER_CUBIC)
    return cv2.resize(scene, (width, width * 3 // 4), interpolation=cv2.INTER_AREA)


def write_recording(folder: Path, name: str, seed: int, encoding: Encoding) -> Path:
    """Encode recording number `seed`."""
    path = folder / f"{name}{encoding.suffix}"
    sound = sound_of(seed)[round(encoding.trimmed_s * RATE_HZ) :] * 10 ** (encoding.gain_db / 20)
    if encoding.speed != 1:
        places = np.arange(0, sound.size - 1, encoding.speed)
        sound = np.interp(places, np.arange(sound.size), sound)
    sound = sound.astype(np.float32)
    with av.open(str(path), "w") as container:
        video = container.add_stream(
            encoding.video, rate=FPS, width=encoding.width, height=encoding.width * 3 // 4, pix_fmt="yuv420p"
        )
        video.codec_context.thread_count = 1  # threads of VP8 wait for one another in loops
        video.codec_context.gop_size = encoding.keyframe_every
        audio = container.add_stream(encoding.audio, rate=encoding.rate_hz, layout=encoding.layout)
        audio.bit_rate = encoding.bit_rate
        for index in range(round(sound.size / RATE_HZ * FPS)):
            image = picture_of(seed, index / FPS * encoding.speed + encoding.trimmed_s, encoding.width)
            image = image[:, ::-1].copy() if encoding.mirrored else image
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p", threads=1)
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            container.mux(video.encode(frame))
            start = index * RATE_HZ // FPS
            part = av.AudioFrame.from_ndarray(sound[None, start : start + RATE_HZ // FPS], "flt", "mono")
            part.sample_rate, part.time_base, part.pts = RATE_HZ, Fraction(1, RATE_HZ), start
            container.mux(audio.encode(part))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))
    return path


def video_id_of(path: Path) -> str:
    """The `video_id` that ingest assigns."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:32]


def clips_of(path: Path) -> pa.Table:
    """The clips of a file, cut by the project's clipper."""
    cut = [clip for clip in clip_file(str(path), video_id_of(path), ClipParams()) if isinstance(clip, ClipRow)]
    return pa.Table.from_pylist([clip._asdict() for clip in cut], schema=CLIPS_ARROW)


def clip_of_sound(name: str, audio: np.ndarray) -> pa.Table:
    """One clip without frames of a video named after `name`; audio is int16 [samples]."""
    video_id = hashlib.sha256(name.encode()).hexdigest()[:32]
    row = {"clip_id": f"{video_id}-00000000", "video_id": video_id, "start_s": 0.0, "end_s": audio.size / 16_000}
    row |= {"audio": audio.tobytes(), "audio_rms_dbfs": -20.0, "frames": [], "frame_times_s": []}
    return pa.Table.from_pylist([row], schema=CLIPS_ARROW)


def sign(clips: pa.Table) -> MemoryShard:
    """A shard of signatures."""
    return MemoryShard(sign_shard(MemoryShard(clips)))


def videos_table(paths: Iterable[Path]) -> pd.DataFrame:
    """The columns of `Videos` that the search reads."""
    return pd.DataFrame([(video_id_of(path), path.name) for path in paths], columns=["video_id", "uri"])
