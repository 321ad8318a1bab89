"""Shards of simulated clips with audio, and of their training targets, of any size.

A clip has 4 s of noise, and as many bytes of frames as a real one, so that the layout of its columns is as in real
shards. They are stored as in the catalog.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import yaml

from xmodal_kedro.data.loader import ClipStream
from xmodal_kedro.data.survey import survey
from xmodal_kedro.datasets.sharded import ShardedParquetDataset
from xmodal_kedro.params import TrainParams
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ
from xmodal_kedro.recipes import recipe
from xmodal_kedro.schemas import CLIPS_ARROW, LABELS_ARROW
from xmodal_kedro.storage import LoadShard, ShardJob

CATALOG = Path(__file__).parents[1] / "conf/base/catalog"
STORING = ("compression", "row_group_rows")
WRITTEN_CLIPS = 64
"""Clips of one table that a job gives."""

CLASSES = 527
"""Those of AudioSet."""
CLIP_S = 4.0
MAX_TARGETS = 5
FRAMES = 2
FRAME_BYTES = 20_000
"""About a JPEG of quality 90 with 256 pixels on its short side."""


@dataclass(frozen=True)
class Corpus:
    """Paired shards under the same keys."""

    clips: Mapping[str, LoadShard]
    labels: Mapping[str, LoadShard]

    def under_keys(self, shards: int) -> Corpus:
        """So many shards, the stored ones under further keys where they are fewer: what is read is as much."""
        keys = list(self.clips)
        chosen = {f"{at:05}": keys[at % len(keys)] for at in range(shards)}
        return Corpus(
            {new: self.clips[key] for new, key in chosen.items()},
            {new: self.labels[key] for new, key in chosen.items()},
        )

    def stream(self, params: TrainParams) -> ClipStream:
        """The training clips, as `train` reads them."""
        return ClipStream(
            clips=self.clips,
            labels=self.labels,
            embeddings={},
            split="train",
            groups=survey(self.clips, self.labels, CLASSES)["train"],
            classes=CLASSES,
            clip_s=params.clip_s,
            batch_size=params.batch_size,
            shuffle_buffer=params.shuffle_buffer,
            streams=params.streams,
            seed=params.seed,
        )


def store(folder: Path, shards: int, clips_per_shard: int, workers: int = 1) -> Corpus:
    """Make a corpus and store it: some 170 kB a clip."""
    for name, make in {"clips": clip_tables, "labels": label_tables}.items():
        jobs: dict[str, ShardJob] = {f"{shard:05}": partial(make, shard, clips_per_shard) for shard in range(shards)}
        dataset(folder, name, workers).save(jobs)
    return stored(folder)


def stored(folder: Path) -> Corpus:
    """The corpus that was stored in a folder."""
    return Corpus(*(dataset(folder, name).load() for name in ("clips", "labels")))


def dataset(folder: Path, name: str, workers: int = 1) -> ShardedParquetDataset:
    """One in another folder that stores as the catalog's does, without its check."""
    entries: dict[str, Any] = {}
    for layer in ("03_primary", "05_model_input"):
        entries |= yaml.safe_load((CATALOG / f"{layer}.yml").read_text())
    options = {field: value for field, value in entries[name].items() if field in STORING}
    return ShardedParquetDataset(path=str(folder / name), engine={"backend": "loky", "workers": workers}, **options)


@recipe("simulated clips", version=1)
def clip_tables(shard: int, clips: int) -> Iterator[pa.Table]:
    """The clips of a shard."""
    rng = np.random.default_rng(shard)
    for first in range(0, clips, WRITTEN_CLIPS):
        numbers = range(first, min(first + WRITTEN_CLIPS, clips))
        yield pa.Table.from_pylist([_clip(rng, shard, number) for number in numbers], CLIPS_ARROW)


@recipe("simulated labels of clips", version=1)
def label_tables(shard: int, clips: int) -> Iterator[pa.Table]:
    """Their training targets."""
    rng = np.random.default_rng(shard)
    yield pa.Table.from_pylist([_label(rng, shard, number) for number in range(clips)], LABELS_ARROW)


def _ids(shard: int, number: int) -> dict[str, str]:
    return {"clip_id": f"{shard:016x}{number:016x}", "video_id": f"{shard:016x}{number // 8:016x}"}


def _clip(rng: np.random.Generator, shard: int, number: int) -> dict[str, Any]:
    samples = round(CLIP_S * CLIP_SAMPLE_RATE_HZ)
    return _ids(shard, number) | {
        "start_s": 0.0,
        "end_s": CLIP_S,
        "audio": rng.integers(-3_000, 3_000, samples, np.int16).tobytes(),
        "audio_rms_dbfs": -25.5,
        "frames": [rng.bytes(FRAME_BYTES) for _ in range(FRAMES)],
        "frame_times_s": [float(at) for at in range(FRAMES)],
        "still_picture": False,
    }


def _label(rng: np.random.Generator, shard: int, number: int) -> dict[str, Any]:
    targets = rng.choice(CLASSES, rng.integers(1, MAX_TARGETS, endpoint=True), replace=False).tolist()
    return _ids(shard, number) | {"split": "train", "targets": targets, "weights": [1.0] * len(targets)}
