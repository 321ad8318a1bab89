"""Score clips with a teacher that never waits for its input."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xmodal_kedro.labelling.preprocess import Clip
from xmodal_kedro.labelling.teacher import Teacher, require_scores
from xmodal_kedro.params import LabelParams, TeacherCard

Rows = list[NDArray[Any]]


@dataclass
class _Pending:
    """A clip of which not every row is scored yet."""

    clip_id: str
    rows_left: int
    rows: int
    pooled: NDArray[np.float32] | None = None
    """[classes]"""


def score_clips(
    clips: Iterable[tuple[str, Clip]], teacher: Teacher, card: TeacherCard, params: LabelParams
) -> Generator[tuple[str, NDArray[np.float32] | None], None, None]:
    """Pool a teacher's scores over the pictures, patches or windows of each clip.

    Batches run across clips, so their size does not depend on how many inputs a clip has. Threads prepare the clips to
    come, at most a batch of them, while a batch is scored.

    Args:
        clips: ids, with JPEGs or sound.

    Yields:
        Id and scores [classes] of each clip, in order; None where there was nothing to score.

    Raises:
        ValueError: naming the clip that cannot be decoded, or the card's field that contradicts the scores.
    """
    waiting: deque[_Pending] = deque()
    batch: list[tuple[_Pending, NDArray[Any]]] = []
    with closing(_prepared(clips, teacher, params)) as prepared:
        for clip_id, rows in prepared:
            pending = _Pending(clip_id, len(rows), len(rows))
            waiting.append(pending)
            for row in rows:
                batch.append((pending, row))
                if len(batch) == params.batch_size:
                    _score(batch, teacher, card, params)
                    batch = []
            yield from _finished(waiting, params)
    if batch:
        _score(batch, teacher, card, params)
    yield from _finished(waiting, params)


def _prepared(
    clips: Iterable[tuple[str, Clip]], teacher: Teacher, params: LabelParams
) -> Generator[tuple[str, Rows], None, None]:
    """Each clip's rows, in order, made ahead."""
    ahead: deque[Future[tuple[str, Rows]]] = deque()
    with ThreadPoolExecutor(params.prepare_threads, "prepare") as threads:
        try:
            for clip_id, clip in clips:
                ahead.append(threads.submit(_rows_of, teacher, clip_id, clip))
                if len(ahead) > params.batch_size + params.prepare_threads:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            threads.shutdown(wait=True, cancel_futures=True)


def _rows_of(teacher: Teacher, clip_id: str, clip: Clip) -> tuple[str, Rows]:
    try:
        return clip_id, teacher.rows(clip)
    except ValueError as error:
        raise ValueError(f"clip {clip_id}: {error}") from error


def _score(
    batch: Sequence[tuple[_Pending, NDArray[Any]]], teacher: Teacher, card: TeacherCard, params: LabelParams
) -> None:
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
