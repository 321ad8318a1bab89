"""What a teacher said of views of each clip, read beside the clips."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from xmodal_kedro.data.survey import as_array, reading
from xmodal_kedro.errors import UserError
from xmodal_kedro.features.views import View, view_of
from xmodal_kedro.schemas import VIEWS_KEY
from xmodal_kedro.storage import LoadShard

REMEDY = "run the pipeline audio_label again, with audio_label.views.count above 0"


@dataclass(frozen=True)
class ViewPlan:
    """How views were made, and what is stored of each; the fields of `audio_label.views`.

    Attributes:
        classes: number of the teacher's scores.
        embedding_size: of its embedding; 0 where it is not stored.
    """

    count: int
    clip_s: float
    gain_db: float
    seed: int
    classes: int
    embedding_size: int


class ClipViews(NamedTuple):
    """What the teacher said of the views of one clip.

    Attributes:
        classes_VK, scores_VK: its best classes, int32, and their scores, float32 [views, stored classes]. Those of all
            others are lower, and learnt as 0.
        embedding_VE: float16 [views, size].
    """

    classes_VK: NDArray[np.int32]
    scores_VK: NDArray[np.float32]
    embedding_VE: NDArray[np.float16]


@dataclass(frozen=True)
class ShardViews:
    """Those of one shard.

    Attributes:
        key: the shard's.
        clip_ids: string [clips].
        views: of all clips, in their order; arrays as of `ClipViews`, [clips, views, ...].
    """

    key: str
    clip_ids: pa.Array
    views: ClipViews

    def of(self, clip_ids: pa.Array) -> list[ClipViews]:
        """Those of some clips, in their order.

        Raises:
            UserError: naming a clip that has none.
        """
        place = pc.index_in(clip_ids, value_set=self.clip_ids)
        if place.null_count:
            lost = clip_ids.filter(place.is_null())[0]
            raise UserError(f"teacher_views of {self.key} has none of {lost}: {REMEDY}")
        return [ClipViews(*(values[at] for values in self.views)) for at in place.to_pylist()]


@dataclass(frozen=True)
class Views:
    """Shards as `schemas.TeacherViews`, by the keys of the clips' shards."""

    shards: Mapping[str, LoadShard]

    @cached_property
    def plan(self) -> ViewPlan:
        """That of the first shard that has clips; `read` compares the others."""
        plans = [ViewPlan(**json.loads(shard.metadata[VIEWS_KEY])) for shard in self.shards.values()]
        return next((plan for plan in plans if plan.classes), plans[0])

    def view_of(self, clip_id: str, number: int, surplus: int) -> View:
        """The view of this number, as the teacher heard it; see `features.views.view_of`."""
        return view_of(clip_id, number, self.plan.seed, surplus, self.plan.gain_db)

    def read(self, key: str) -> ShardViews:
        """Those of one shard.

        Raises:
            UserError: if it cannot be read, or was made otherwise than the others.
        """
        shard, plan = self.shards[key], self.plan
        if shard.num_rows and ViewPlan(**json.loads(shard.metadata[VIEWS_KEY])) != plan:
            raise UserError(f"teacher_views of {key} were made otherwise than the others: {REMEDY}")
        with reading("teacher_views", key, shard), shard.open() as parquet:
            table = parquet.read(use_threads=False).combine_chunks()
        clips = len(table) // plan.count
        embeddings = np.frombuffer(b"".join(table["embedding"].to_pylist()), "<f2")
        return ShardViews(
            key,
            as_array(table["clip_id"])[:: plan.count],
            ClipViews(
                _rows(table["classes"], clips, plan.count),
                _rows(table["scores"], clips, plan.count),
                embeddings.reshape(clips, plan.count, plan.embedding_size),
            ),
        )


def _rows(column: pa.ChunkedArray, clips: int, views: int) -> NDArray:
    values = pc.list_flatten(column).combine_chunks().to_numpy(zero_copy_only=False)
    return values.reshape(clips, views, -1) if clips else np.zeros((0, views, 0), values.dtype)
