"""The teacher's embeddings of clips, read beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from xmodal_kedro.data.survey import as_array, reading
from xmodal_kedro.errors import UserError
from xmodal_kedro.schemas import EMBEDDING_SIZE_KEY
from xmodal_kedro.storage import LoadShard


@dataclass(frozen=True)
class ShardEmbeddings:
    """Those of one shard.

    Attributes:
        key: the shard's.
        clip_ids: string [clips].
        embedding_NE: float16 [clips, size].
    """

    key: str
    clip_ids: pa.Array
    embedding_NE: NDArray[np.float16]

    def of(self, clip_ids: pa.Array) -> NDArray[np.float16]:
        """Those of some clips, in their order [clips, size].

        Raises:
            UserError: naming a clip that has none.
        """
        place = pc.index_in(clip_ids, value_set=self.clip_ids)
        if place.null_count:
            lost = clip_ids.filter(place.is_null())[0]
            raise UserError(
                f"teacher_embeddings of {self.key} has none of {lost}: run the pipeline audio_label again, with "
                "audio_label.embeddings set to true"
            )
        return self.embedding_NE[place.to_numpy()]


@dataclass(frozen=True)
class Embeddings:
    """Shards as `schemas.TeacherEmbeddings`, by the keys of the clips' shards."""

    shards: Mapping[str, LoadShard]

    @cached_property
    def size(self) -> int:
        """Numbers of an embedding, as the first shard that holds one says; `read` compares the others."""
        sizes = (int(shard.metadata[EMBEDDING_SIZE_KEY]) for shard in self.shards.values())
        return next(filter(None, sizes), 0)

    def read(self, key: str) -> ShardEmbeddings:
        """Those of one shard.

        Raises:
            UserError: if it cannot be read, or its embeddings are of another size than the others'.
        """
        with reading("teacher_embeddings", key, self.shards[key]), self.shards[key].open() as parquet:
            table = parquet.read(use_threads=False).combine_chunks()
        sizes = set(pc.binary_length(table["embedding"]).to_pylist())
        if sizes - {2 * self.size}:
            raise UserError(
                f"teacher_embeddings of {key} are not of the size of the others: run the pipeline audio_label again"
            )
        values = np.frombuffer(b"".join(table["embedding"].to_pylist()), "<f2")
        return ShardEmbeddings(key, as_array(table["clip_id"]), values.reshape(-1, self.size))
