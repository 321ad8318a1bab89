"""Score views of each clip with the audio teacher, for trainings in which it is too slow to hear every step."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from xmodal_kedro.errors import UserError
from xmodal_kedro.features.views import cut, view_of
from xmodal_kedro.params import AudioLabelParams, AudioTeacherCard
from xmodal_kedro.params.teachers import CONTRASTIVE
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ
from xmodal_kedro.recipes import recipe
from xmodal_kedro.schemas import TEACHER_VIEWS_ARROW, VIEWS_KEY
from xmodal_kedro.storage import Folder, LoadShard, ShardJobs, Shards
from xmodal_kedro.teachers.embeddings import require_embedding
from xmodal_kedro.teachers.live import LiveTeacher
from xmodal_kedro.teachers.opening import check_teacher, teacher_files
from xmodal_kedro.teachers.stored_clips import stored_clips

CLIPS_AT_A_TIME = 16
"""Clips whose views are scored together, so that memory does not depend on the size of a shard."""


@dataclass(frozen=True)
class ViewTask:
    """How a teacher scores views.

    Attributes:
        teacher: what scores them; its embedding size is 1 if embeddings are kept, else 0.
        params: `audio_label`.
    """

    teacher: LiveTeacher
    params: AudioLabelParams

    @property
    def fingerprint(self) -> str:
        """Digest of what scores of views depend on. Threads and batches do not count."""
        wanted = [self.params.views.identity(), self.params.embeddings, self.params.device]
        return hashlib.sha256(json.dumps([self.teacher.fingerprint, wanted], sort_keys=True).encode()).hexdigest()


def score_views(clips: Shards, folder: Folder, card: AudioTeacherCard, params: AudioLabelParams) -> ShardJobs:
    """One job for each shard, after a check of the teacher; none if `params.views.count` is 0.

    Raises:
        UserError: the teacher is contrastive, or has no embedding where one is kept, or see `check_teacher`.
        FileNotFoundError: see `check_teacher`.
    """
    require_views(card, params)
    require_embedding(card, params)
    if not params.views.count:
        return {}
    check_teacher(card, folder, params.device, params.inference_threads)
    keeps = int(params.embeddings)
    teacher = LiveTeacher(card, teacher_files(card, folder), params.device, params.inference_threads, 0, keeps)
    return {key: partial(score_views_shard, load, ViewTask(teacher, params)) for key, load in clips.items()}


def require_views(card: AudioTeacherCard, params: AudioLabelParams) -> None:
    """Check that the teacher can score views if the parameters want some.

    Raises:
        UserError: it is contrastive.
    """
    if params.views.count and card.backend == CONTRASTIVE:
        raise UserError(
            f"audio_label.views.count is {params.views.count}, but the audio teacher's backend is {CONTRASTIVE}, whose "
            "scores depend on the whole corpus: take another teacher, or set audio_label.views.count to 0"
        )


@recipe("teacher_views", version=1)
def score_views_shard(clips: LoadShard, task: ViewTask) -> Iterator[pa.Table]:
    """The scores of the views of one shard's clips, `params.views.count` rows for each clip in the order of the clips:
    `schemas.TeacherViews`.

    Raises:
        UserError: see `LiveTeacher.listen`.
    """
    views = task.params.views
    samples = round(views.clip_s * CLIP_SAMPLE_RATE_HZ)
    remaining, sizes = stored_clips(clips, task.teacher.card), {"classes": 0, "embedding_size": 0}
    while part := list(islice(remaining, CLIPS_AT_A_TIME)):
        audio_VT = np.concatenate([views_of(clip_id, np.asarray(of), samples, task) for clip_id, of in part])
        scores_VC, embedding_VE = task.teacher.listen(audio_VT)
        best_VK = np.argsort(-scores_VC, axis=1, kind="stable")[:, : views.top_k]
        sizes = {"classes": scores_VC.shape[1], "embedding_size": embedding_VE.shape[1]}
        columns = [
            pa.array([clip_id for clip_id, _ in part for _ in range(views.count)]),
            pa.array(np.tile(np.arange(views.count), len(part)), pa.int64()),
            _lists(best_VK.astype(np.int32)),
            _lists(np.take_along_axis(scores_VC, best_VK, 1)),
            pa.array([embedding_E.astype("<f2", copy=False).tobytes() for embedding_E in embedding_VE], pa.binary()),
        ]
        yield pa.table(columns, schema=TEACHER_VIEWS_ARROW)
    stated: dict[str, Any] = {name: getattr(views, name) for name in ("count", "clip_s", "gain_db", "seed")} | sizes
    yield TEACHER_VIEWS_ARROW.empty_table().replace_schema_metadata({VIEWS_KEY: json.dumps(stated, sort_keys=True)})


def views_of(clip_id: str, audio_T: NDArray[np.int16], samples: int, task: ViewTask) -> NDArray[np.int16]:
    """The sounds of the views of one clip, int16 [views, samples]."""
    views, surplus = task.params.views, max(0, len(audio_T) - samples)
    return np.stack(
        [
            cut(audio_T, samples, view_of(clip_id, number, views.seed, surplus, views.gain_db))
            for number in range(views.count)
        ]
    )


def _lists(rows_VK: NDArray[Any]) -> pa.Array:
    offsets = np.arange(len(rows_VK) + 1, dtype=np.int32) * rows_VK.shape[1]
    return pa.ListArray.from_arrays(offsets, pa.array(rows_VK.ravel()))
