"""Label shards of clips with one teacher."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import islice

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from xmodal_kedro.params import LabelParams, TeacherCard
from xmodal_kedro.recipes import library_versions, recipe
from xmodal_kedro.schemas import TEACHER_LABELS_ARROW
from xmodal_kedro.storage import Folder, LoadShard, ShardJobs, Shards
from xmodal_kedro.teachers.opening import check_teacher, open_teacher, teacher_files
from xmodal_kedro.teachers.protocol import LIBRARIES, TeacherFiles
from xmodal_kedro.teachers.scoring import score_clips
from xmodal_kedro.teachers.stored_clips import CLIPS_AT_A_TIME, stored_clips

NO_PICTURE = "no_picture"
BELOW_MIN_SCORE = "below_min_score"
NOT_IN_LABELS = {"sounds", "ontology", "weights", "revision", "on_cuda", "labels"}
"""Fields of a card that labels do not depend on, and names of files, which are fingerprinted by content."""
IN_LABELS = {"pooling", "top_k", "min_score", "device"}
"""Parameters that labels depend on."""


@dataclass(frozen=True)
class LabelTask:
    """How a teacher labels clips.

    Attributes:
        card: card of the teacher.
        params: `visual_label` or `audio_label`.
    """

    card: TeacherCard
    params: LabelParams

    @property
    def fingerprint(self) -> str:
        """Digest of what labels depend on. The sounds of classes, threads and batches are left out."""
        card = {name: value for name, value in self.card.identity().items() if name not in NOT_IN_LABELS}
        card["output"] = {name: value for name, value in card["output"].items() if name != "embedding"}
        params = {name: value for name, value in self.params.identity().items() if name in IN_LABELS}
        libraries = library_versions(LIBRARIES[self.card.backend])
        return hashlib.sha256(json.dumps([card, params, libraries], sort_keys=True).encode()).hexdigest()

    @property
    def legacy_fingerprint(self) -> str:
        """The same, as version 0.1 computed it."""
        later = {name for name, value in self.card.ADDED.items() if getattr(self.card, name) == value}
        card = self.card.model_dump(exclude={**dict.fromkeys(NOT_IN_LABELS | later, True), "output": {"embedding"}})
        params = self.params.model_dump(include=IN_LABELS)
        return hashlib.sha256(json.dumps([card, params], sort_keys=True).encode()).hexdigest()


def label_clips(clips: Shards, folder: Folder, card: TeacherCard, params: LabelParams) -> ShardJobs:
    """One job for each shard, after a check of the teacher.

    Raises:
        FileNotFoundError, UserError: see `check_teacher`.
    """
    check_teacher(card, folder, params.device, params.inference_threads)
    files = teacher_files(card, folder)
    task = LabelTask(card, params)
    return {key: partial(label_shard, load, files, task) for key, load in clips.items()}


@recipe("label", version=1)
def label_shard(clips: LoadShard, files: TeacherFiles, question: LabelTask) -> Iterator[pa.Table]:
    """A teacher's labels of one shard of clips, in the order of the clips, best label first.

    The metadata of the last table holds the number of `clips` in the shard and, as JSON, the number of `unlabelled`
    clips by reason: `no_picture` without frames, or `below_min_score` if no class reached `params.min_score`.

    Raises:
        UserError: naming the clip with a frame that cannot be decoded, or the card's field that contradicts the model.
    """
    card, params = question.card, question.params
    teacher = open_teacher(card, files, params.device, params.inference_threads)
    names = np.array(teacher.labels, object)
    alphabetical = np.argsort(np.argsort(names))
    is_allowed_C = ~np.isin(names, card.ignore)
    unlabelled = {NO_PICTURE: 0, BELOW_MIN_SCORE: 0}
    with closing(score_clips(stored_clips(clips, card), teacher, card, params)) as scored:
        while part := list(islice(scored, CLIPS_AT_A_TIME)):
            scored_clips = [(clip_id, scores_C) for clip_id, scores_C in part if scores_C is not None]
            unlabelled[NO_PICTURE] += len(part) - len(scored_clips)
            if not scored_clips:
                continue
            clip_ids, scores = zip(*scored_clips, strict=True)
            clip, label, score = top_labels(np.stack(scores), is_allowed_C, alphabetical, params)
            unlabelled[BELOW_MIN_SCORE] += len(scored_clips) - len(np.unique(clip))
            columns = [pa.array(clip_ids, pa.string()).take(pa.array(clip)), pa.array(names[label], pa.string()), score]
            yield pa.table(columns, schema=TEACHER_LABELS_ARROW)
    metadata = {"clips": str(clips.num_rows), "unlabelled": json.dumps(unlabelled, sort_keys=True)}
    yield TEACHER_LABELS_ARROW.empty_table().replace_schema_metadata(metadata)


def top_labels(
    scores_NC: NDArray[np.float32],
    is_allowed_C: NDArray[np.bool_],
    alphabetical: NDArray[np.int64],
    params: LabelParams,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """The `params.top_k` best allowed labels of each clip from `params.min_score` on; equal scores are ordered by name.

    Args:
        scores_NC: [clips, classes].
        is_allowed_C: whether each class may be a label.
        alphabetical: rank of each class by name [classes].
        params: number of labels, and the minimum score.

    Returns:
        Positions of clip and class, and the score, of each label [labels], by clip, best first.
    """
    clip, label = np.nonzero(is_allowed_C & (scores_NC >= np.float32(params.min_score)))
    score = scores_NC[clip, label]
    order = np.lexsort((alphabetical[label], -score, clip))
    starts = np.searchsorted(clip, np.arange(len(scores_NC)))
    best = order[np.arange(len(clip)) - starts[clip] < params.top_k]
    return clip[best], label[best], score[best]
