"""Score clips with a teacher while the next inputs are prepared in threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xmodal_kedro.errors import UserError
from xmodal_kedro.params import LabelParams, TeacherCard
from xmodal_kedro.teachers.preprocess import Clip
from xmodal_kedro.teachers.protocol import Teacher, require_scores
from xmodal_kedro.teachers.torch_inference import torch_threads

Rows = list[NDArray[Any]]

PREPARED_TOGETHER = 16
"""Clips that are prepared one after the other. A core that switches between preparing and scoring for each clip loses
its caches each time."""
THREADS_FOR_CUDA = 4
"""Threads that prepare clips for a GPU, if the parameters do not set their number."""


@dataclass
class _Pending:
    """A clip whose scores are not complete yet.

    Attributes:
        rows: number of its rows (frames, patches or windows), and `rows_left` of those that have no scores yet.
        pooled: sum of the scores of the others, or their maximum, by `LabelParams.pooling`: float32 [classes].
    """

    clip_id: str
    rows_left: int
    rows: int
    pooled: NDArray[np.float32] | None = None


def score_clips(
    clips: Iterable[tuple[str, Clip]], teacher: Teacher, card: TeacherCard, params: LabelParams
) -> Generator[tuple[str, NDArray[np.float32] | None], None, None]:
    """Pool a teacher's scores over the frames, patches or windows of each clip.

    A batch holds inputs of several clips, so its size does not depend on the number of inputs of a clip. While a batch
    is scored, threads prepare about one more batch; without threads, preparing and scoring alternate.

    Args:
        clips: ids, with JPEGs or audio.

    Yields:
        Id and scores [classes] of each clip, in order; None for a clip without inputs.

    Raises:
        UserError: naming the clip that cannot be decoded, or the card's field that contradicts the scores. Other
            errors while a clip is prepared pass unchanged, with the clip as a note.
    """
    waiting: deque[_Pending] = deque()
    batch: list[tuple[_Pending, NDArray[Any]]] = []
    with closing(prepared_clips(clips, teacher, params)) as prepared:
        for clip_id, rows in prepared:
            pending = _Pending(clip_id, len(rows), len(rows))
            waiting.append(pending)
            for row in rows:
                batch.append((pending, row))
                if len(batch) == params.batch_size:
                    _score_batch(batch, teacher, card, params)
                    batch = []
            yield from _finished(waiting, params)
    if batch:
        _score_batch(batch, teacher, card, params)
    yield from _finished(waiting, params)


def prepared_clips(
    clips: Iterable[tuple[str, Clip]], teacher: Teacher, params: LabelParams
) -> Generator[tuple[str, Rows], None, None]:
    """Id and rows of each clip, in order. Threads prepare them ahead, if there are any. Errors: see `score_clips`."""
    remaining = iter(clips)
    parts = iter(lambda: list(islice(remaining, PREPARED_TOGETHER)), [])
    count = params.prepare_threads
    if count is None:
        count = THREADS_FOR_CUDA if teacher.on_cuda else 0
    if not count:
        for part in parts:
            yield from _prepare(teacher, part)
        return
    max_ahead = count + params.batch_size // PREPARED_TOGETHER
    ahead: deque[Future[list[tuple[str, Rows]]]] = deque()
    with ThreadPoolExecutor(count, "prepare") as threads:
        try:
            for part in parts:
                ahead.append(threads.submit(_prepare, teacher, part))
                if len(ahead) > max_ahead:
                    yield from ahead.popleft().result()
            while ahead:
                yield from ahead.popleft().result()
        finally:
            threads.shutdown(wait=True, cancel_futures=True)


def _prepare(teacher: Teacher, clips: Sequence[tuple[str, Clip]]) -> list[tuple[str, Rows]]:
    with torch_threads(1):  # one clip is too little work for several threads: they would mostly wait for each other
        return [(clip_id, _rows_of(teacher, clip_id, clip)) for clip_id, clip in clips]


def _rows_of(teacher: Teacher, clip_id: str, clip: Clip) -> Rows:
    try:
        return teacher.rows(clip)
    except ValueError as error:
        raise UserError(f"clip {clip_id}: {error}") from error
    except Exception as error:
        error.add_note(f"while preparing clip {clip_id}")
        raise


def _score_batch(
    batch: Sequence[tuple[_Pending, NDArray[Any]]], teacher: Teacher, card: TeacherCard, params: LabelParams
) -> None:
    """Have the teacher score a batch of rows, and pool the scores of each row into those of its clip.

    Raises: see `require_scores`.
    """
    scores_BC = teacher.scores([row for _, row in batch])
    require_scores(scores_BC, card)
    pool = np.add if params.pooling == "mean" else np.maximum
    for (pending, _), scores_C in zip(batch, scores_BC, strict=True):
        pending.pooled = scores_C.copy() if pending.pooled is None else pool(pending.pooled, scores_C)
        pending.rows_left -= 1


def _finished(waiting: deque[_Pending], params: LabelParams) -> Iterator[tuple[str, NDArray[np.float32] | None]]:
    while waiting and not waiting[0].rows_left:
        done = waiting.popleft()
        if done.pooled is not None and params.pooling == "mean":
            done.pooled /= np.float32(done.rows)
        yield done.clip_id, done.pooled
