"""Reads the part of stored clips that a teacher scores."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from xmodal_kedro.params import TeacherCard, VisualTeacherCard
from xmodal_kedro.storage import LoadShard
from xmodal_kedro.teachers.preprocess import Clip

CLIPS_AT_A_TIME = 64
"""Clips of a shard that are read and labelled together, so that memory does not depend on the size of a shard."""


def stored_clips(clips: LoadShard, card: TeacherCard) -> Iterator[tuple[str, Clip]]:
    """Ids of a shard's clips, with their JPEGs for a visual teacher or their audio for an audio teacher."""
    column = "frames" if isinstance(card, VisualTeacherCard) else "audio"
    with clips.open() as parquet:
        for part in parquet.iter_batches(CLIPS_AT_A_TIME, columns=["clip_id", column]):
            for clip_id, stored in zip(part["clip_id"].to_pylist(), part[column], strict=True):
                yield clip_id, _clip(stored)


def _clip(stored: pa.Scalar) -> Clip:
    if isinstance(stored, pa.ListScalar):
        return list(stored.as_py() or ())
    return np.frombuffer(stored.as_buffer(), "<i2")
