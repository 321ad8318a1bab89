"""Label shards of clips with a contrastive teacher.

The model embeds each clip once. Which classes there are, their prompts and their calibration are arithmetic on these
embeddings, so other words for a class do not run the model on the clips again.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import islice

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from scipy.special import expit

from xmodal_kedro.errors import UserError
from xmodal_kedro.params import LabelParams, TeacherCard
from xmodal_kedro.params.teachers import CONTRASTIVE
from xmodal_kedro.recipes import library_versions, recipe
from xmodal_kedro.schemas import CLIP_EMBEDDINGS_ARROW, EMBEDDING_SIZE_KEY, TEACHER_LABELS_ARROW
from xmodal_kedro.storage import Folder, LoadShard, ShardJobs, Shards
from xmodal_kedro.storage.cached_pickle import Shared
from xmodal_kedro.teachers.contrastive_backend import ContrastiveTeacher
from xmodal_kedro.teachers.labelling import BELOW_MIN_SCORE, NO_PICTURE, top_labels
from xmodal_kedro.teachers.opening import check_teacher, open_teacher, teacher_files
from xmodal_kedro.teachers.prompts import Calibration, Prompts
from xmodal_kedro.teachers.protocol import LIBRARIES, TeacherFiles
from xmodal_kedro.teachers.scoring import prepared_clips
from xmodal_kedro.teachers.stored_clips import CLIPS_AT_A_TIME, stored_clips
from xmodal_kedro.wording import counted

logger = logging.getLogger(__name__)

MAX_CALIBRATION_CLIPS = 50_000
"""Clips that a calibration is computed from: whole shards, in an order that is random and always the same."""
FEW_CLIPS = 100
"""Below this number, quantiles of a corpus are rough."""


@dataclass(frozen=True)
class EmbedTask:
    """How a contrastive teacher embeds clips.

    Attributes:
        card: card of the teacher.
        params: how it is run; embeddings depend on its device only.
    """

    card: TeacherCard
    params: LabelParams

    @property
    def fingerprint(self) -> str:
        """Digest of what embeddings depend on beside the teacher's files: neither classes nor prompts."""
        libraries = library_versions(LIBRARIES[self.card.backend])
        text = json.dumps([type(self.card).__name__, self.params.device, libraries], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class PromptedLabels(Shared):
    """How embeddings become labels.

    Attributes:
        prompts: of the classes.
        calibration: None if scores are probabilities among all prompts.
        ignore: classes that never become a label.
        params: pooling, number of labels, and the minimum score.
    """

    prompts: Prompts
    calibration: Calibration | None
    ignore: tuple[str, ...]
    params: LabelParams

    @property
    def fingerprint(self) -> str:
        """Digest of all attributes that labels depend on."""
        calibration = self.calibration.fingerprint if self.calibration else None
        params = [self.params.pooling, self.params.top_k, self.params.min_score]
        text = json.dumps([self.prompts.fingerprint, calibration, self.ignore, params])
        return hashlib.sha256(text.encode()).hexdigest()

    def log_odds(self, rows_by_clip: Sequence[NDArray[np.floating]]) -> NDArray[np.float64]:
        """Log odds [clips, classes], pooled over the rows [rows, size] of each clip."""
        ends = np.cumsum([len(rows) for rows in rows_by_clip])
        log_odds_RC = self.prompts.log_odds(np.concatenate(rows_by_clip))
        pool = np.mean if self.params.pooling == "mean" else np.max
        return np.stack([pool(part_RC, axis=0) for part_RC in np.split(log_odds_RC, ends[:-1])])

    def scores(self, log_odds_NC: NDArray[np.float64]) -> NDArray[np.float32]:
        """Scores [clips, classes] in 0..1."""
        if self.calibration is None:
            return np.asarray(expit(log_odds_NC), np.float32)
        return self.calibration.scores(log_odds_NC)


def embedding_jobs(clips: Shards, folder: Folder, card: TeacherCard, params: LabelParams) -> ShardJobs:
    """One job for each shard, after a check of the teacher; none if the teacher is not contrastive.

    Raises:
        FileNotFoundError, UserError: see `check_teacher`.
    """
    if card.backend != CONTRASTIVE:
        return {}
    check_teacher(card, folder, params.device, params.inference_threads)
    files, task = teacher_files(card, folder), EmbedTask(card, params)
    return {key: partial(embed_rows, load, files, task) for key, load in clips.items()}


@recipe("clip_embeddings", version=1)
def embed_rows(clips: LoadShard, files: TeacherFiles, task: EmbedTask) -> Iterator[pa.Table]:
    """The embeddings of one shard's clips, in their order: `schemas.ClipEmbeddings`, without clips that have no frames.

    Raises:
        UserError: naming the clip with a frame that cannot be decoded.
    """
    card, params = task.card, task.params
    teacher = open_teacher(card, files, params.device, params.inference_threads)
    assert isinstance(teacher, ContrastiveTeacher)
    size = 0
    with closing(prepared_clips(stored_clips(clips, card), teacher, params)) as prepared:
        while part := list(islice(prepared, CLIPS_AT_A_TIME)):
            present = [(clip_id, rows) for clip_id, rows in part if rows]
            if not present:
                continue
            flat = [row for _, rows in present for row in rows]
            batches = range(0, len(flat), params.batch_size)
            embedding_RE = np.concatenate([teacher.embed(flat[start : start + params.batch_size]) for start in batches])
            size = embedding_RE.shape[1]
            ends = np.cumsum([len(rows) for _, rows in present])
            stored = [rows_RE.astype("<f2").tobytes() for rows_RE in np.split(embedding_RE, ends[:-1])]
            ids = pa.array([clip_id for clip_id, _ in present], pa.string())
            yield pa.table([ids, pa.array(stored, pa.binary())], schema=CLIP_EMBEDDINGS_ARROW)
    yield CLIP_EMBEDDINGS_ARROW.empty_table().replace_schema_metadata({EMBEDDING_SIZE_KEY: str(size)})


def describe_prompts(embeddings: Shards, folder: Folder, card: TeacherCard, params: LabelParams) -> pd.DataFrame:
    """The embedded prompts of the card's classes, with their calibration on the corpus.

    Returns:
        `schemas.ClassPrompts`; empty if the teacher is not contrastive.
    """
    from xmodal_kedro.schemas import CLASS_PROMPTS_ARROW

    if card.backend != CONTRASTIVE:
        return CLASS_PROMPTS_ARROW.empty_table().to_pandas()
    teacher = open_teacher.__wrapped__(card, teacher_files(card, folder), params.device, params.inference_threads)
    assert isinstance(teacher, ContrastiveTeacher)
    prompts = teacher.prompts
    labels = PromptedLabels(prompts, None, card.ignore, params)
    calibration = _calibrate(embeddings, labels)
    absent = [None] * len(prompts.background_PE)
    columns = {
        "label": [*prompts.labels, *absent],
        "embedding": [row.tolist() for row in (*prompts.class_CE, *prompts.background_PE)],
        "scale": [prompts.scale] * (len(prompts.labels) + len(absent)),
        "center": [*calibration.center_C.tolist(), *absent],
        "std": [*calibration.std_C.tolist(), *absent],
    }
    return pa.table(columns, schema=CLASS_PROMPTS_ARROW).to_pandas()


def labelling_jobs(
    clips: Shards, embeddings: Shards, class_prompts: pd.DataFrame, card: TeacherCard, params: LabelParams
) -> ShardJobs:
    """One job for each shard: labels by the similarity of embeddings and prompts.

    Args:
        class_prompts: `schemas.ClassPrompts`.

    Raises:
        UserError: naming a shard of clips that is not embedded.
    """
    if missing := sorted(clips.keys() - embeddings.keys()):
        raise UserError(
            f"the shard {missing[0]} of clips has no embeddings for prompts: run the pipeline that labels as a whole, "
            "without --nodes or --from-nodes"
        )
    labels = read_prompts(class_prompts, card, params)
    return {key: partial(label_embedded, load, embeddings[key], labels) for key, load in clips.items()}


def read_prompts(class_prompts: pd.DataFrame, card: TeacherCard, params: LabelParams) -> PromptedLabels:
    """Prompts and calibration as `describe_prompts` stored them."""
    is_class = class_prompts["label"].notna()
    classes, background = class_prompts[is_class], class_prompts[~is_class]
    prompts = Prompts(
        tuple(classes["label"]),
        np.stack(classes["embedding"].to_list()).astype(np.float32),
        np.stack(background["embedding"].to_list()).astype(np.float32),
        float(classes["scale"].iloc[0]),
    )
    calibration = Calibration(classes["center"].to_numpy(np.float64), classes["std"].to_numpy(np.float64))
    return PromptedLabels(prompts, calibration if card.calibration == "corpus" else None, card.ignore, params)


@recipe("label_by_prompts", version=1)
def label_embedded(clips: LoadShard, embeddings: LoadShard, labels: PromptedLabels) -> Iterator[pa.Table]:
    """The labels of one shard of clips, in their order, best label first; its metadata is that of `label_shard`."""
    names = np.array(labels.prompts.labels, object)
    alphabetical = np.argsort(np.argsort(names))
    is_allowed_C = ~np.isin(names, labels.ignore)
    unlabelled = {NO_PICTURE: clips.num_rows - embeddings.num_rows, BELOW_MIN_SCORE: 0}
    for clip_ids, rows_by_clip in stored_embeddings(embeddings):
        scores_NC = labels.scores(labels.log_odds(rows_by_clip))
        clip, label, score = top_labels(scores_NC, is_allowed_C, alphabetical, labels.params)
        unlabelled[BELOW_MIN_SCORE] += len(clip_ids) - len(np.unique(clip))
        columns = [clip_ids.take(pa.array(clip)), pa.array(names[label], pa.string()), score]
        yield pa.table(columns, schema=TEACHER_LABELS_ARROW)
    metadata = {"clips": str(clips.num_rows), "unlabelled": json.dumps(unlabelled, sort_keys=True)}
    yield TEACHER_LABELS_ARROW.empty_table().replace_schema_metadata(metadata)


def stored_embeddings(embeddings: LoadShard) -> Iterator[tuple[pa.Array, list[NDArray[np.float32]]]]:
    """Ids and embeddings [rows, size] of a shard's clips, some at a time."""
    size = int(embeddings.metadata[EMBEDDING_SIZE_KEY])
    with embeddings.open() as parquet:
        for part in parquet.iter_batches(CLIPS_AT_A_TIME):
            stored = [np.frombuffer(value.as_buffer(), "<f2") for value in part["embedding"]]
            yield part["clip_id"], [values.reshape(-1, size).astype(np.float32) for values in stored]


def _calibrate(embeddings: Shards, labels: PromptedLabels) -> Calibration:
    parts = []
    clips = 0
    for key in _in_random_order(embeddings):
        if clips >= MAX_CALIBRATION_CLIPS:
            break
        for clip_ids, rows_by_clip in stored_embeddings(embeddings[key]):
            parts.append(labels.log_odds(rows_by_clip))
            clips += len(clip_ids)
    if not clips:
        count = len(labels.prompts.labels)
        return Calibration(np.zeros(count), np.ones(count))
    if clips < FEW_CLIPS:
        logger.warning(
            "Scores of own classes are calibrated on %s, which is few: look at the labels before you trust a threshold",
            counted(clips, "clip"),
        )
    return Calibration.of(np.concatenate(parts))


def _in_random_order(shards: Mapping[str, LoadShard]) -> list[str]:
    return sorted(shards, key=lambda key: hashlib.sha256(key.encode()).digest())
