"""A tiny corpus of tones in noise: three classes that a small network learns in seconds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa

from tests.fakes import MemoryShard
from xmodal_kedro.params import TrainParams
from xmodal_kedro.schemas import CLIPS_ARROW, LABELS_ARROW, TEACHER_EMBEDDINGS_ARROW

TONES_HZ = {"low": 300.0, "middle": 1_000.0, "high": 4_000.0}
VOCABULARY = pd.DataFrame({"index": range(3), "name": list(TONES_HZ), "modality": ["audio"] * 3, "clip_count": [1] * 3})


def tone(hz: float, duration_s: float, seed: int) -> np.ndarray:
    """A tone of random phase in noise of similar level, int16 at 16 kHz."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(duration_s * 16_000)) / 16_000
    sound = np.sin(2 * np.pi * hz * t + rng.uniform(0, 6)) + rng.standard_normal(len(t))
    return (sound * 3_000).astype(np.int16)


def tone_shards(
    shards: int = 3, clips_per_shard: int = 16, duration_s: float = 1.0
) -> tuple[dict[str, MemoryShard], dict[str, MemoryShard]]:
    """Clips and labels, paired by key; every fourth clip is for validation, every eighth has no target."""
    clips, labels = {}, {}
    for shard in range(shards):
        key = f"shard-{shard:05d}"
        numbers = range(shard * clips_per_shard, (shard + 1) * clips_per_shard)
        clips[key] = MemoryShard(pa.Table.from_pylist([_clip(n, duration_s) for n in numbers], CLIPS_ARROW))
        labels[key] = MemoryShard(pa.Table.from_pylist([_label(n) for n in numbers], LABELS_ARROW))
    return clips, labels


def tone_embeddings(shards: int = 3, clips_per_shard: int = 16) -> dict[str, MemoryShard]:
    """Embeddings of a teacher for the same clips: float16 [4], whose last number is noise only."""
    tables = {}
    for shard in range(shards):
        numbers = range(shard * clips_per_shard, (shard + 1) * clips_per_shard)
        rows = [{"clip_id": f"clip-{n}", "embedding": tone_embedding(n).tobytes()} for n in numbers]
        table = pa.Table.from_pylist(rows[::-1], TEACHER_EMBEDDINGS_ARROW)  # the order must not matter
        tables[f"shard-{shard:05d}"] = MemoryShard(table.replace_schema_metadata({"embedding_size": "4"}))
    return tables


def frame_embeddings(shards: int = 3, clips_per_shard: int = 16) -> dict[str, MemoryShard]:
    """Embeddings of a visual teacher, float16 [6], for the clips that `has_frames`."""
    tables = {}
    for shard in range(shards):
        numbers = range(shard * clips_per_shard, (shard + 1) * clips_per_shard)
        rows = [
            {"clip_id": f"clip-{n}", "embedding": frame_embedding(n).tobytes()}
            for n in numbers
            if has_frames(f"clip-{n}")
        ]
        table = pa.Table.from_pylist(rows[::-1], TEACHER_EMBEDDINGS_ARROW)
        tables[f"shard-{shard:05d}"] = MemoryShard(table.replace_schema_metadata({"embedding_size": "6"}))
    return tables


def frame_embedding(number: int) -> np.ndarray:
    """float16 [6] of one clip, far from mean 0 and variance 1."""
    noise = np.random.default_rng(1_000 + number).normal(0, 0.01, 6)
    return (0.2 * np.eye(6)[number % 3] + 3 + noise).astype("<f2")


def has_frames(clip_id: str) -> bool:
    """Whether a clip has frames: two of five have."""
    return int(clip_id.removeprefix("clip-")) % 5 < 2


def tone_embedding(number: int) -> np.ndarray:
    """float16 [4] of one clip."""
    noise = np.random.default_rng(number).normal(0, 0.1, 4)
    return (5 * np.eye(4)[number % 3] + noise).astype("<f2")


def clip_ids(split: str, count: int) -> list[str]:
    """The labelled clips of a split among the first `count`, in stored order."""
    rows = [_label(number) for number in range(count)]
    return [row["clip_id"] for row in rows if row["split"] == split and row["targets"]]


def tone_params(**changes: object) -> TrainParams:
    """Parameters under which the tones are learnt in a few seconds."""
    settings = {
        "model": "vggish_plus",
        "vggish_plus": {"width": 4},
        "epochs": 2,
        "batch_size": 8,
        "clip_s": 0.975,
        "learning_rate": 3e-3,
        "shuffle_buffer": 32,
        "streams": 4,
        "device": "cpu",
        "precision": "float32",
    }
    return TrainParams.model_validate(settings | changes)


def _clip(number: int, duration_s: float) -> dict[str, object]:
    audio = tone(list(TONES_HZ.values())[number % 3], duration_s, seed=number)
    return {
        "clip_id": f"clip-{number}",
        "video_id": f"video-{number}",
        "start_s": 0.0,
        "end_s": duration_s,
        "audio": audio.tobytes(),
        "audio_rms_dbfs": -20.0,
        "frames": [],
        "frame_times_s": [],
    }


def _label(number: int) -> dict[str, object]:
    targets = [] if number % 8 == 7 else [number % 3]
    return {
        "clip_id": f"clip-{number}",
        "video_id": f"video-{number}",
        "split": "validation" if number % 4 == 2 else "train",
        "targets": targets,
        "weights": [1.0] * len(targets),
    }
