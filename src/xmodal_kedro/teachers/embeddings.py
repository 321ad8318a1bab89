"""Store a teacher's embedding of each clip, for a network that learns to predict it in addition to the labels."""

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

from xmodal_kedro.errors import UserError
from xmodal_kedro.params import LabelParams, TeacherCard, VisualTeacherCard
from xmodal_kedro.params.teachers import CONTRASTIVE
from xmodal_kedro.recipes import library_versions, recipe
from xmodal_kedro.schemas import EMBEDDING_SIZE_KEY, TEACHER_EMBEDDINGS_ARROW
from xmodal_kedro.storage import Folder, LoadShard, ShardJobs, Shards
from xmodal_kedro.teachers.onnx_backend import OnnxTeacher
from xmodal_kedro.teachers.opening import check_teacher, open_teacher, teacher_files
from xmodal_kedro.teachers.prompted_labels import stored_embeddings
from xmodal_kedro.teachers.protocol import LIBRARIES, TeacherFiles
from xmodal_kedro.teachers.scoring import prepared_clips
from xmodal_kedro.teachers.stored_clips import CLIPS_AT_A_TIME, stored_clips

IN_EMBEDDINGS = {"backend", "input", "output"}
"""Fields of a card that embeddings depend on."""


@dataclass(frozen=True)
class EmbeddingTask:
    """How a teacher embeds clips.

    Attributes:
        card: card of the teacher, which names its embedding.
        params: how the teacher is run; embeddings depend on its device only.
    """

    card: TeacherCard
    params: LabelParams

    @property
    def fingerprint(self) -> str:
        """Digest of what embeddings depend on beside the teacher's files. Classes, threads and batches do not count."""
        card = {name: value for name, value in self.card.identity().items() if name in IN_EMBEDDINGS}
        libraries = library_versions(LIBRARIES[self.card.backend])
        text = json.dumps([card, self.params.device, libraries], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def legacy_fingerprint(self) -> str:
        """The same, as version 0.1 computed it."""
        card = self.card.model_dump_json(include=IN_EMBEDDINGS)
        return hashlib.sha256(f"{card} {self.params.device}".encode()).hexdigest()


def embed_clips(
    clips: Shards, clip_embeddings: Shards, folder: Folder, card: TeacherCard, params: LabelParams
) -> ShardJobs:
    """One job for each shard, after a check of the teacher; none if `params.embeddings` is false.

    Args:
        clip_embeddings: `schemas.ClipEmbeddings` of the clips, if the teacher is contrastive.

    Raises:
        UserError: the teacher has no embedding, or see `check_teacher`.
        FileNotFoundError: see `check_teacher`.
    """
    require_embedding(card, params)
    if not params.embeddings:
        return {}
    if card.backend == CONTRASTIVE:
        return {key: partial(pool_clip_embeddings, load) for key, load in clip_embeddings.items()}
    check_teacher(card, folder, params.device, params.inference_threads)
    files, task = teacher_files(card, folder), EmbeddingTask(card, params)
    return {key: partial(embed_clips_shard, load, files, task) for key, load in clips.items()}


def require_embedding(card: TeacherCard, params: LabelParams) -> None:
    """Check that the teacher has an embedding if the parameters need one.

    Raises:
        UserError: it has none.
    """
    if params.embeddings and card.backend != CONTRASTIVE and not card.output.embedding:
        modality = "visual" if isinstance(card, VisualTeacherCard) else "audio"
        raise UserError(
            f"{modality}_label.embeddings is true, but the {modality} teacher's card names no output.embedding: name "
            f"the tensor of an ONNX model that holds it, or set {modality}_label.embeddings to false"
        )


@recipe("teacher_embeddings", version=1)
def embed_clips_shard(clips: LoadShard, files: TeacherFiles, listening: EmbeddingTask) -> Iterator[pa.Table]:
    """The embeddings of one shard's clips, in their order: `schemas.TeacherEmbeddings`, without clips that have no
    frames where frames are embedded.

    Raises:
        UserError: naming the clip with a frame that cannot be decoded, or see `as_float16`.
    """
    card, params = listening.card, listening.params
    pool = mean_of_frames if isinstance(card, VisualTeacherCard) else mean_and_maximum
    teacher = open_teacher(card, files, params.device, params.inference_threads)
    assert isinstance(teacher, OnnxTeacher)  # only ONNX cards can name an output.embedding
    size = 0
    with closing(prepared_clips(stored_clips(clips, card), teacher, params)) as prepared:
        while read := list(islice(prepared, CLIPS_AT_A_TIME)):
            part = [(clip_id, clip_rows) for clip_id, clip_rows in read if clip_rows]
            if not part:
                continue
            rows = [row for _, clip_rows in part for row in clip_rows]
            batches = range(0, len(rows), params.batch_size)
            embedding_RE = np.concatenate(
                [teacher.embed(rows[start : start + params.batch_size])[0] for start in batches]
            )
            ends = np.cumsum([len(clip_rows) for _, clip_rows in part])
            by_clip = [pool(rows_RE) for rows_RE in np.split(embedding_RE, ends[:-1])]
            size = len(by_clip[0])
            stored = [as_float16(embedding_E, card).astype("<f2", copy=False).tobytes() for embedding_E in by_clip]
            yield pa.table(
                [pa.array([clip_id for clip_id, _ in part]), pa.array(stored, pa.binary())],
                schema=TEACHER_EMBEDDINGS_ARROW,
            )
    yield TEACHER_EMBEDDINGS_ARROW.empty_table().replace_schema_metadata({EMBEDDING_SIZE_KEY: str(size)})


@recipe("pooled_clip_embeddings", version=1)
def pool_clip_embeddings(embeddings: LoadShard) -> Iterator[pa.Table]:
    """A contrastive teacher's embeddings of one shard, those of each clip's frames as their mean:
    `schemas.TeacherEmbeddings`."""
    for clip_ids, rows_by_clip in stored_embeddings(embeddings):
        stored = [mean_of_frames(rows_RE).astype("<f2").tobytes() for rows_RE in rows_by_clip]
        yield pa.table([clip_ids, pa.array(stored, pa.binary())], schema=TEACHER_EMBEDDINGS_ARROW)
    size = embeddings.metadata[EMBEDDING_SIZE_KEY]
    yield TEACHER_EMBEDDINGS_ARROW.empty_table().replace_schema_metadata({EMBEDDING_SIZE_KEY: size})


def mean_of_frames(embedding_RE: NDArray[np.float32]) -> NDArray[np.float32]:
    """Embedding [size] of a clip from those of its frames [frames, size]."""
    mean_E: NDArray[np.float32] = embedding_RE.mean(0)
    return mean_E


def mean_and_maximum(embedding_RE: NDArray[np.float32]) -> NDArray[np.float32]:
    """Embedding [2 * size] of a clip from those of its windows [windows, size].

    Lasting sounds show in the mean, short ones in the maximum.
    """
    return np.concatenate([embedding_RE.mean(0), embedding_RE.max(0)])


def as_float16(embeddings: NDArray[np.float32], card: TeacherCard) -> NDArray[np.float16]:
    """Embeddings of any shape in half precision, whose range is -65504 to 65504.

    Raises:
        UserError: a number is beyond that range, or is not one; names the card's field.
    """
    with np.errstate(over="ignore"):
        halved = embeddings.astype(np.float16)
    if not np.isfinite(halved).all():
        raise UserError(
            f"{card.weights!r} gives embeddings with numbers beyond {np.finfo(np.float16).max:g} or none at all "
            "(NaN, perhaps of a silent sound): name another tensor under output.embedding in the teacher's card"
        )
    return halved
