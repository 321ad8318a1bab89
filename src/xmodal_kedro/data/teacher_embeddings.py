"""Teachers' embeddings of clips, read beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from torch import Tensor

from xmodal_kedro.data.survey import as_array, reading
from xmodal_kedro.errors import UserError
from xmodal_kedro.params.training import Modality
from xmodal_kedro.schemas import EMBEDDING_SIZE_KEY
from xmodal_kedro.storage import LoadShard

DATASETS: dict[Modality, str] = {"audio": "teacher_embeddings", "visual": "visual_teacher_embeddings"}
"""Names of the shards."""
MAX_STATISTICS_CLIPS = 20_000
"""Clips that statistics are taken of: whole shards in the order of their keys, which come from hashes, so that they are
a random part of the corpus."""
EPSILON = 1e-5
"""Added to variances, as by batch norm: a number that never changes stays 0."""


class EmbeddingTargets(NamedTuple):
    """Embeddings of one teacher for the clips of a batch.

    Attributes:
        values_BE: float16 or float32 [batch, size]; zeros for a clip that has none.
        shares_B1: float32 [batch, 1]: 1 for a clip that has one and 0 for others; of sounds that are mixed, the share
            of those that have one.
    """

    values_BE: Tensor
    shares_B1: Tensor


class Statistics(NamedTuple):
    """Mean and standard deviation of each number of an embedding, float32 [size]."""

    mean_E: NDArray[np.float32]
    std_E: NDArray[np.float32]


@dataclass(frozen=True)
class ShardEmbeddings:
    """Those of one shard.

    Attributes:
        key: the shard's.
        modality: of the teacher. Every clip has sound, and need not have frames.
        clip_ids: string [clips].
        embedding_NE: float16 [clips, size].
    """

    key: str
    modality: Modality
    clip_ids: pa.Array
    embedding_NE: NDArray[np.float16]

    def of(self, clip_ids: pa.Array) -> list[NDArray[np.float16] | None]:
        """Those of some clips, in their order, [size] each; None for a clip without frames.

        Raises:
            UserError: naming a clip whose sound has none.
        """
        place = pc.index_in(clip_ids, value_set=self.clip_ids)
        if place.null_count and self.modality == "audio":
            lost = clip_ids.filter(place.is_null())[0]
            raise UserError(
                f"teacher_embeddings of {self.key} has none of {lost}: run the pipeline audio_label again, with "
                "audio_label.embeddings set to true"
            )
        return [None if at is None else self.embedding_NE[at] for at in place.to_pylist()]


@dataclass(frozen=True)
class Embeddings:
    """Shards as `schemas.TeacherEmbeddings`, by the keys of the clips' shards."""

    shards: Mapping[str, LoadShard]
    modality: Modality = "audio"

    @cached_property
    def size(self) -> int:
        """Numbers of an embedding, as the first shard that holds one says; `read` compares the others."""
        sizes = (int(shard.metadata[EMBEDDING_SIZE_KEY]) for shard in self.shards.values())
        return next(filter(None, sizes), 0)

    @cached_property
    def statistics(self) -> Statistics:
        """Of at most some `MAX_STATISTICS_CLIPS` clips, whatever split they are in.

        Raises:
            UserError: see `read`.
        """
        clips, sum_E, squares_E = 0, np.zeros(self.size), np.zeros(self.size)
        for key in sorted(self.shards):
            embedding_NE = self.read(key).embedding_NE.astype(np.float64)
            clips += len(embedding_NE)
            sum_E += embedding_NE.sum(0)
            squares_E += np.square(embedding_NE).sum(0)
            if clips >= MAX_STATISTICS_CLIPS:
                break
        mean_E = sum_E / clips
        std_E = np.sqrt(np.maximum(squares_E / clips - mean_E**2, 0) + EPSILON)
        return Statistics(mean_E.astype(np.float32), std_E.astype(np.float32))

    def read(self, key: str) -> ShardEmbeddings:
        """Those of one shard.

        Raises:
            UserError: if it cannot be read, or its embeddings are of another size than the others'.
        """
        name = DATASETS[self.modality]
        with reading(name, key, self.shards[key]), self.shards[key].open() as parquet:
            table = parquet.read(use_threads=False).combine_chunks()
        sizes = set(pc.binary_length(table["embedding"]).to_pylist())
        if sizes - {2 * self.size}:
            raise UserError(
                f"{name} of {key} are not of the size of the others: run the pipeline {self.modality}_label again"
            )
        values = np.frombuffer(b"".join(table["embedding"].to_pylist()), "<f2")
        return ShardEmbeddings(key, self.modality, as_array(table["clip_id"]), values.reshape(-1, self.size))
