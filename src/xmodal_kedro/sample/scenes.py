"""The script of a video: what is visible and audible in each of its scenes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pandas as pd
from numpy.random import Generator

from xmodal_kedro.params import Params, SampleParams
from xmodal_kedro.sample.world import (
    AUDIO_CLASSES,
    HEARD_ONLY,
    SILENT,
    SOURCES,
    UNKNOWN_PICTURES,
    UNKNOWN_SOUNDS,
    VISUAL_CLASSES,
    Draw,
    stream,
)

Container = Literal["mp4", "mkv", "webm", "avi"]
CONTAINERS: tuple[Container, ...] = ("mp4", "mkv", "webm", "avi")
SIZES_PX = ((192, 144), (160, 120), (176, 144), (144, 176))
SCENE_KINDS = {
    "in_sync": 0.52,  # the source is visible and audible
    "off_screen": 0.14,  # audible; another object, or none, is visible
    "mixture": 0.10,  # two sources are audible, one of them is visible
    "silent_picture": 0.09,  # a source is visible and makes no sound
    "unknown_sound": 0.06,
    "noise": 0.05,
    "silence": 0.04,  # digital silence, without noise
}
"""Kinds of scene and their probabilities."""
MIN_SCENE_S = 4.0
NO_SOUND_EVERY = 44
"""One video in this many has no audio stream at all."""


class Scene(Params):
    """One shot between two cuts."""

    duration_s: float
    """A whole number of frames."""
    seen: str
    """Class of the visible object, or empty."""
    heard: tuple[str, ...]
    """Classes in the audio, the loudest first."""
    level_dbfs: float
    """Loudness of the audio."""
    noise_dbfs: float | None
    """Loudness of the room noise; None for digital silence."""


class Script(Params):
    """Everything that determines the bytes of one video."""

    name: str
    """Relative path."""
    container: Container
    width: int
    height: int
    fps: int
    has_sound: bool
    scenes: tuple[Scene, ...]
    seed: int
    index: int
    """Number of the video. Together with `seed` it selects the random stream."""


def write_script(sample: SampleParams, index: int) -> Script:
    """Draw the script of video number `index`. Like most recordings, it has one main subject, and others."""
    rng = stream(sample.seed, Draw.VIDEOS, index, 0)
    subject = SOURCES[index % len(SOURCES)]
    container = CONTAINERS[int(rng.integers(len(CONTAINERS)))]
    width, height = SIZES_PX[int(rng.choice(len(SIZES_PX), p=(0.5, 0.2, 0.2, 0.1)))]
    fps = int(rng.choice((8, 10)))
    lengths = _scene_lengths(rng, float(rng.uniform(sample.min_s, sample.max_s)))
    return Script(
        name=f"{container}/video-{index:05d}.{container}",
        container=container,
        width=width,
        height=height,
        fps=fps,
        has_sound=index % NO_SOUND_EVERY != NO_SOUND_EVERY - 1,
        scenes=tuple(_scene(rng, round(length * fps) / fps, subject) for length in lengths),
        seed=sample.seed,
        index=index,
    )


def truth_of(scripts: Sequence[Script]) -> pd.DataFrame:
    """What happens in the videos, one row per scene (`schemas.Truth`), for classes that a teacher has."""
    rows = []
    for script in scripts:
        start_s = 0.0
        for scene in script.scenes:
            heard = "|".join(name for name in scene.heard if name in AUDIO_CLASSES) if script.has_sound else ""
            end_s = start_s + scene.duration_s
            rows.append((script.name, start_s, end_s, heard, scene.seen if scene.seen in VISUAL_CLASSES else ""))
            start_s = end_s
    return pd.DataFrame(rows, columns=["uri", "start_s", "end_s", "heard", "seen"])


def _scene_lengths(rng: Generator, total_s: float) -> list[float]:
    count = int(rng.integers(1, max(1, min(4, int(total_s // MIN_SCENE_S))) + 1))
    spare = total_s - count * MIN_SCENE_S
    shares = rng.dirichlet([2.0] * count)
    return [MIN_SCENE_S + spare * float(share) for share in shares]


def _scene(rng: Generator, duration_s: float, subject: str) -> Scene:
    kind = str(rng.choice(list(SCENE_KINDS), p=list(SCENE_KINDS.values())))
    source = subject if rng.random() < 0.6 else str(rng.choice(SOURCES))
    seen, heard = _cast(rng, kind, source)
    level_dbfs = float(rng.uniform(-30, -12))
    return Scene(
        duration_s=duration_s,
        seen=seen,
        heard=heard,
        level_dbfs=level_dbfs,
        noise_dbfs=None if kind == "silence" else level_dbfs - float(rng.uniform(15, 50)),
    )


def _cast(rng: Generator, kind: str, source: str) -> tuple[str, tuple[str, ...]]:
    others = [*SILENT, *UNKNOWN_PICTURES]
    if kind == "in_sync":
        return source, (source,)
    if kind == "mixture":
        second = str(rng.choice([name for name in (*SOURCES, *HEARD_ONLY) if name != source]))
        return source, (source, second)
    if kind == "off_screen":
        heard = source if rng.random() < 0.65 else HEARD_ONLY[0]
        seen = str(rng.choice(others)) if rng.random() < 0.7 else str(rng.choice(SOURCES))
        return seen, (heard,)
    if kind == "silent_picture":
        return source, ()
    return str(rng.choice(others)), (str(rng.choice(UNKNOWN_SOUNDS)),) if kind == "unknown_sound" else ()
