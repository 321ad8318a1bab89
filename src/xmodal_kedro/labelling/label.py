"""Label shards of clips with one teacher."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from itertools import islice

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from xmodal_kedro.handles import FileRef, Folder, LoadShard, ShardJobs, Shards
from xmodal_kedro.labelling.preprocess import image_batch, log_mel_batch
from xmodal_kedro.labelling.teacher import Teacher, check_teacher, open_teacher, teacher_files
from xmodal_kedro.params import ImageInput, LabelParams, TeacherCard, TeacherInput
from xmodal_kedro.schemas import TEACHER_LABELS_ARROW

NO_PICTURE = "no_picture"
BELOW_MIN_SCORE = "below_min_score"
CLIPS_AT_A_TIME = 256
"""Clips of a shard held in memory, so that the size of a shard does not matter."""


def label_clips(clips: Shards, folder: Folder, card: TeacherCard, params: LabelParams) -> ShardJobs:
    """One job a shard, after the teacher has been checked.

    Raises:
        FileNotFoundError, ValueError: see `check_teacher`.
    """
    check_teacher(card, folder, params.device)
    weights, class_list = teacher_files(card, folder)
    return {key: partial(label_shard, load, card, weights, class_list, params) for key, load in clips.items()}


def label_shard(
    clips: LoadShard, card: TeacherCard, weights: FileRef, class_list: FileRef, params: LabelParams
) -> pa.Table:
    """A teacher's labels of one shard of clips, in the order of the clips, best label first.

    The metadata counts the `clips` of the shard and, as JSON, the `unlabelled` ones by reason: `no_picture`, or
    `below_min_score` where no class reached `params.min_score`.

    Raises:
        ValueError: naming the clip whose picture cannot be decoded, or the card's field that contradicts the model.
    """
    teacher = open_teacher(card, weights, class_list, params.device)
    column = "frames" if isinstance(card.input, ImageInput) else "audio"
    allowed_C = ~np.isin(teacher.labels, card.ignore)
    found = [TEACHER_LABELS_ARROW.empty_table()]
    clip_count, unseen = 0, 0
    with clips.open() as parquet:
        for part in parquet.iter_batches(CLIPS_AT_A_TIME, columns=["clip_id", column]):
            scores_NC, rows_N = score_clips(part, teacher, card.input, params)
            allowed_NC = allowed_C & (rows_N[:, None] > 0)
            found.append(best_labels(scores_NC, allowed_NC, part["clip_id"], teacher.labels, params))
            clip_count += part.num_rows
            unseen += int((rows_N == 0).sum())
    labels = pa.concat_tables(found)
    unlabelled = {NO_PICTURE: unseen, BELOW_MIN_SCORE: clip_count - unseen - len(labels["clip_id"].unique())}
    return labels.replace_schema_metadata(
        {"clips": str(clip_count), "unlabelled": json.dumps(unlabelled, sort_keys=True)}
    )


def score_clips(
    clips: pa.RecordBatch, teacher: Teacher, spec: TeacherInput, params: LabelParams
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Pool a teacher's scores over the pictures or patches of each clip.

    Batches run across clips, so the batch size does not depend on how many pictures a clip has.

    Returns:
        scores [clips, classes], zero where there was nothing to score; and how many inputs each clip had [clips].
    """
    rows_N = np.zeros(clips.num_rows, np.int64)
    scores_NC = np.zeros((clips.num_rows, len(teacher.labels)), np.float32)
    pool = np.add if params.pooling == "mean" else np.maximum
    inputs = _inputs(clips, spec)
    while batch := list(islice(inputs, params.batch_size)):
        owners = np.array([owner for owner, _ in batch])
        pool.at(scores_NC, owners, teacher.scores(np.stack([row for _, row in batch])))
        np.add.at(rows_N, owners, 1)
    if params.pooling == "mean":
        scores_NC /= np.maximum(rows_N, 1, dtype=np.float32)[:, None]
    return scores_NC, rows_N


def best_labels(
    scores_NC: NDArray[np.float32],
    allowed_NC: NDArray[np.bool_],
    clip_ids: pa.StringArray,
    names: tuple[str, ...],
    params: LabelParams,
) -> pa.Table:
    """The `params.top_k` best allowed labels of each clip that reach `params.min_score`; equal scores go by name."""
    clip, label = np.nonzero(allowed_NC & (scores_NC >= params.min_score))
    found = pd.DataFrame({"clip": clip, "label": np.array(names, object)[label], "score": scores_NC[clip, label]})
    found = found.sort_values(["clip", "score", "label"], ascending=[True, False, True])
    found = found.groupby("clip", sort=False).head(params.top_k)
    columns = [clip_ids.take(pa.array(found["clip"])), pa.array(found["label"], pa.string()), found["score"]]
    return pa.table(columns, schema=TEACHER_LABELS_ARROW)


def _inputs(clips: pa.RecordBatch, spec: TeacherInput) -> Iterator[tuple[int, NDArray]]:
    """Model-ready rows, each with the position of its clip."""
    column = clips["frames" if isinstance(spec, ImageInput) else "audio"]
    for owner, stored in enumerate(column):
        if isinstance(spec, ImageInput):
            jpegs = stored.as_py()
            rows = _pictures(jpegs, spec, clips["clip_id"][owner]) if jpegs else ()
        else:
            rows = log_mel_batch(np.frombuffer(stored.as_buffer(), np.int16), spec)
        yield from ((owner, row) for row in rows)


def _pictures(jpegs: list[bytes], spec: ImageInput, clip_id: pa.StringScalar) -> NDArray:
    try:
        return image_batch(jpegs, spec)
    except ValueError as error:
        raise ValueError(f"clip {clip_id}: {error}") from error
