"""What a teacher is shown of stored clips."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from xmodal_kedro.params import TeacherCard, VisualTeacherCard
from xmodal_kedro.storage import LoadShard
from xmodal_kedro.teachers.preprocess import Clip

CLIPS_AT_A_TIME = 64
"""Clips of a shard that are read together, and labelled together, so that the size of a shard does not matter."""


def stored_clips(clips: LoadShard, card: TeacherCard) -> Iterator[tuple[str, Clip]]:
    """Ids, with JPEGs or sound as the teacher of the card is shown them, of a shard."""
    column = "frames" if isinstance(card, VisualTeacherCard) else "audio"
    with clips.open() as parquet:
        for part in parquet.iter_batches(CLIPS_AT_A_TIME, columns=["clip_id", column]):
            for clip_id, stored in zip(part["clip_id"].to_pylist(), part[column], strict=True):
                yield clip_id, _clip(stored)


def _clip(stored: pa.Scalar) -> Clip:
    if isinstance(stored, pa.ListScalar):
        return list(stored.as_py() or ())
    return np.frombuffer(stored.as_buffer(), "<i2")
