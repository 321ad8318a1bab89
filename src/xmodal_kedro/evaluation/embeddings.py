"""Embeddings of a benchmark's sounds: each representation of each shard is made once, and kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from xmodal_kedro.errors import UserError
from xmodal_kedro.evaluation.representations import Representation
from xmodal_kedro.evaluation.sounds import stored_sounds
from xmodal_kedro.recipes import recipe
from xmodal_kedro.schemas import BENCHMARK_EMBEDDINGS_ARROW
from xmodal_kedro.storage import LoadShard, ShardJobs, Shards


def embed_benchmark(sounds: Shards, representations: Mapping[str, Representation], batch_size: int) -> ShardJobs:
    """One job for each representation of each shard.

    A job depends on its shard and its representation, so that other weights leave a teacher's embeddings as they are.

    Args:
        sounds: as `schemas.BenchmarkSounds`.
        representations: by name.
        batch_size: max sounds of a forward pass, and in memory.
    """
    return {
        f"{name}-{key}": partial(embed_benchmark_shard, shard, representation, BatchSize(batch_size))
        for name, representation in representations.items()
        for key, shard in sounds.items()
    }


class BatchSize:
    """Sounds of one batch, on which the result does not depend."""

    fingerprint = "batch"

    def __init__(self, size: int) -> None:
        self.size = size


@recipe("embed_benchmark", version=2)
def embed_benchmark_shard(sounds: LoadShard, representation: Representation, batch: BatchSize) -> Iterator[pa.Table]:
    """The sounds of a shard, represented: `schemas.BenchmarkEmbeddings`, a table for each batch."""
    for part in stored_sounds(sounds, batch.size):
        names, audio = zip(*part, strict=True)
        embeddings_NE, scores_NC = representation(audio)
        yield pa.table([pa.array(names), _lists(embeddings_NE), _lists(scores_NC)], schema=BENCHMARK_EMBEDDINGS_ARROW)


class Embedded(NamedTuple):
    """One representation of all sounds of a benchmark, in a given order.

    Attributes:
        embeddings: float64 [sounds, size].
        scores: float32 [sounds, classes].
    """

    embeddings: NDArray[np.float64]
    scores: NDArray[np.float32]


def representations_of(embeddings: Shards) -> list[str]:
    """Names of the stored representations, in order."""
    return list(dict.fromkeys(key.rpartition("-")[0] for key in embeddings))


def collect_embeddings(embeddings: Shards, representation: str, files: Sequence[str]) -> Embedded:
    """Load one representation.

    Args:
        embeddings: as `embed_benchmark` makes them.
        representation: its name.
        files: of the benchmark's sounds, in the order wanted.

    Raises:
        UserError: if the sounds are not those of the benchmark.
    """
    return in_order([load() for key, load in embeddings.items() if key.rpartition("-")[0] == representation], files)


def in_order(tables: Iterable[pa.Table], files: Sequence[str]) -> Embedded:
    """The rows of one representation, as `schemas.BenchmarkEmbeddings`, in the order of `files`.

    Raises:
        UserError: if the sounds are not those of the benchmark.
    """
    table = pa.concat_tables(tables)
    place = {file: position for position, file in enumerate(table["file"].to_pylist())}
    if place.keys() != set(files):
        raise UserError(
            "benchmark_embeddings are not of the benchmark's sounds: run the pipeline transfer_eval from its beginning"
        )
    order = [place[file] for file in files]
    return Embedded(_matrix(table["embedding"])[order].astype(np.float64), _matrix(table["scores"])[order])


def _lists(rows_NE: NDArray[np.float32]) -> pa.Array:
    offsets = np.arange(len(rows_NE) + 1, dtype=np.int32) * rows_NE.shape[1]
    return pa.ListArray.from_arrays(offsets, pa.array(rows_NE.ravel(), pa.float32()))


def _matrix(column: pa.ChunkedArray) -> NDArray[np.float32]:
    values = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    matrix: NDArray[np.float32] = values.reshape(len(column), -1) if len(values) else np.zeros((len(column), 0), "f4")
    return matrix
