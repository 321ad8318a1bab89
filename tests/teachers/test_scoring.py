from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.teachers.fixtures import pitch_card
from xmodal_kedro.params import LabelParams
from xmodal_kedro.teachers.preprocess import Clip
from xmodal_kedro.teachers.scoring import PREPARED_TOGETHER, score_clips
from xmodal_kedro.teachers.torch_inference import torch_threads

CARD = pitch_card()
TIMEOUT_S = 20.0


class Row(np.ndarray):
    """An array that can be watched until it is gone."""


class CountingTeacher:
    """A clip's rows are its samples, and each scores itself; it keeps count of the rows that are held."""

    labels = ("as it is", "halved")
    on_cuda = False

    def __init__(self) -> None:
        self.held = self.most_held = self.largest_batch = 0
        self._lock = threading.Lock()

    def rows(self, clip: Clip) -> list[np.ndarray]:
        return [self._row(sample) for sample in np.asarray(clip)]

    def scores(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        self.largest_batch = max(self.largest_batch, len(rows))
        as_it_is = np.array([float(row[0]) for row in rows], np.float32) / 100
        return np.stack([as_it_is, as_it_is / 2], axis=1)

    def _row(self, sample: int) -> np.ndarray:
        row = np.array([sample]).view(Row)
        self._count(1)
        weakref.finalize(row, self._count, -1)
        return row

    def _count(self, by: int) -> None:
        with self._lock:
            self.held += by
            self.most_held = max(self.most_held, self.held)


class BrokenTeacher(CountingTeacher):
    """It cannot prepare a clip that begins with 66, and cannot score one that holds 77."""

    def rows(self, clip: Clip) -> list[np.ndarray]:
        if len(clip) and clip[0] == 66:
            raise self.fault
        return super().rows(clip)

    def scores(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        if any(row[0] == 77 for row in rows):
            raise RuntimeError("the device is gone")
        return super().scores(rows)

    fault: Exception = ValueError("frame 0 cannot be decoded")


class AbsentMindedTeacher(CountingTeacher):
    """It does not answer before all of the first clips are prepared."""

    def __init__(self, clips: int) -> None:
        super().__init__()
        self._to_prepare, self.prepared = clips, 0
        self._all = threading.Event()

    def rows(self, clip: Clip) -> list[np.ndarray]:
        with self._lock:
            self.prepared += 1
        if self.prepared >= self._to_prepare:
            self._all.set()
        return super().rows(clip)

    def scores(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        assert self._all.wait(TIMEOUT_S), f"only {self.prepared} clips were prepared while a batch was scored"
        return super().scores(rows)


def clips_of(samples: Sequence[Sequence[int]]) -> Iterator[tuple[str, Clip]]:
    return ((f"clip-{number:04d}", np.array(of_clip, np.int16)) for number, of_clip in enumerate(samples))


def params_of(**changes: object) -> LabelParams:
    return LabelParams.model_validate(changes)


def preparing_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("prepare")]


@settings(deadline=None, max_examples=40)
@given(
    samples=st.lists(st.lists(st.integers(0, 100), max_size=5), max_size=40),
    batch_size=st.integers(1, 50),
    threads=st.integers(0, 3),
    pooling=st.sampled_from(["mean", "max"]),
)
def test_scores_of_a_clip_are_those_of_its_rows_pooled_whatever_batches_and_threads(
    samples: list[list[int]], batch_size: int, threads: int, pooling: str
) -> None:
    params = params_of(batch_size=batch_size, prepare_threads=threads, pooling=pooling)
    teacher = CountingTeacher()
    scored = list(score_clips(clips_of(samples), teacher, CARD, params))
    assert [clip_id for clip_id, _ in scored] == [f"clip-{number:04d}" for number in range(len(samples))]
    for of_clip, (_, scores_C) in zip(samples, scored, strict=True):
        if not of_clip:
            assert scores_C is None
            continue
        pooled = np.mean(of_clip) if pooling == "mean" else max(of_clip)
        np.testing.assert_allclose(scores_C, [pooled / 100, pooled / 200], rtol=1e-5)
    assert teacher.largest_batch <= batch_size


def test_batches_are_full_whatever_number_of_rows_clips_have() -> None:
    sizes = []

    class Teacher(CountingTeacher):
        def scores(self, rows: Sequence[np.ndarray]) -> np.ndarray:
            sizes.append(len(rows))
            return super().scores(rows)

    list(
        score_clips(clips_of([[1] * (number % 4) for number in range(100)]), Teacher(), CARD, params_of(batch_size=32))
    )
    assert sizes == [32] * 4 + [150 - 4 * 32]


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_no_more_clips_are_held_of_a_long_shard_than_of_a_short_one(threads: int) -> None:
    params = params_of(batch_size=32, prepare_threads=threads)
    held = []
    for clips in (200, 4_000):
        teacher = CountingTeacher()
        for _ in score_clips(clips_of([[1, 2]] * clips), teacher, CARD, params):
            pass
        held.append(teacher.most_held)
    parts = threads + params.batch_size // PREPARED_TOGETHER + 2
    assert max(held) <= 2 * parts * PREPARED_TOGETHER + params.batch_size


def test_threads_prepare_the_next_batch_while_one_is_scored() -> None:
    params = params_of(batch_size=32, prepare_threads=1)
    teacher = AbsentMindedTeacher(clips=2 * params.batch_size)
    assert len(list(score_clips(clips_of([[1]] * 200), teacher, CARD, params))) == 200


def test_a_gpu_is_fed_by_threads_even_where_no_number_is_set() -> None:
    teacher = AbsentMindedTeacher(clips=64)
    teacher.on_cuda = True
    assert len(list(score_clips(clips_of([[1]] * 200), teacher, CARD, params_of(batch_size=32)))) == 200


@pytest.mark.parametrize("threads", [0, 2])
def test_a_clip_is_prepared_by_one_thread_of_torch(threads: int) -> None:
    counts = []

    class Teacher(CountingTeacher):
        def rows(self, clip: Clip) -> list[np.ndarray]:
            counts.append(torch.get_num_threads())
            return super().rows(clip)

    with torch_threads(3):
        list(score_clips(clips_of([[1]] * 100), Teacher(), CARD, params_of(prepare_threads=threads)))
        assert torch.get_num_threads() == 3
    assert counts == [1] * 100


@pytest.mark.parametrize("threads", [0, 2])
def test_a_clip_that_cannot_be_prepared_is_named(threads: int) -> None:
    scored = score_clips(
        clips_of([[1]] * 70 + [[66]] + [[1]] * 900), BrokenTeacher(), CARD, params_of(prepare_threads=threads)
    )
    with pytest.raises(ValueError, match="clip clip-0070: frame 0 cannot be decoded"):
        list(scored)
    assert not preparing_threads()


@pytest.mark.parametrize("threads", [0, 2])
def test_any_other_error_of_preparation_comes_as_it_is_with_the_clip_as_a_note(threads: int) -> None:
    teacher = BrokenTeacher()
    teacher.fault = MemoryError("no room")
    scored = score_clips(clips_of([[1], [66]]), teacher, CARD, params_of(prepare_threads=threads))
    with pytest.raises(MemoryError, match="no room") as caught:
        list(scored)
    assert caught.value.__notes__ == ["while preparing clip clip-0001"]


def test_threads_end_when_all_is_scored_when_scoring_fails_and_when_nobody_asks_on() -> None:
    params = params_of(prepare_threads=2)
    assert len(list(score_clips(clips_of([[1]] * 500), CountingTeacher(), CARD, params))) == 500
    assert not preparing_threads()

    with pytest.raises(RuntimeError, match="the device is gone"):
        list(score_clips(clips_of([[1]] * 70 + [[77]] + [[1]] * 900), BrokenTeacher(), CARD, params))
    assert not preparing_threads()

    unfinished = score_clips(clips_of([[1]] * 500), CountingTeacher(), CARD, params)
    next(unfinished)
    assert preparing_threads()
    unfinished.close()
    assert not preparing_threads()


def test_a_shard_that_cannot_be_read_on_ends_the_threads_with_its_own_error() -> None:
    def torn() -> Iterator[tuple[str, Clip]]:
        yield from clips_of([[1]] * 100)
        raise OSError("the shard is torn")

    with pytest.raises(OSError, match="the shard is torn"):
        list(score_clips(torn(), CountingTeacher(), CARD, params_of(prepare_threads=2)))
    assert not preparing_threads()
