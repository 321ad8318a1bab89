from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes import MemoryShard
from tests.tones import clip_ids, tone_shards
from xmodal_kedro.audio.stream import Batch, ClipStream, even_sizes, prefetched, shuffled

CLIPS, LABELS = tone_shards(duration_s=1.0)
TRAIN = ClipStream(
    clips=CLIPS, labels=LABELS, split="train", classes=3, clip_s=0.5, batch_size=8, shuffle_buffer=10, seed=0
)
VALIDATION = replace(TRAIN, split="validation")


def epoch_of(clips: ClipStream, epoch: int = 0) -> list[Batch]:
    return list(clips.batches(clips.count(), epoch))


def order(batches: list[Batch]) -> list[str]:
    return [clip_id for batch in batches for clip_id in batch.clip_ids]


@settings(deadline=None, max_examples=20)
@given(
    batch_size=st.integers(2, 50), shuffle_buffer=st.integers(1, 60), seed=st.integers(0, 9), epoch=st.integers(0, 9)
)
def test_every_labelled_clip_of_the_split_comes_once_an_epoch(
    batch_size: int, shuffle_buffer: int, seed: int, epoch: int
) -> None:
    clips = replace(TRAIN, batch_size=batch_size, shuffle_buffer=shuffle_buffer, seed=seed)
    assert sorted(order(epoch_of(clips, epoch))) == sorted(clip_ids("train", 48))
    assert clips.count() == len(clip_ids("train", 48))


def test_seed_and_epoch_alone_decide_order_and_cuts() -> None:
    first, again = epoch_of(TRAIN, 3), epoch_of(TRAIN, 3)
    assert order(first) == order(again)
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.audio, other.audio)
    assert order(first) != order(epoch_of(TRAIN, 4))
    assert order(first) != order(epoch_of(replace(TRAIN, seed=1), 3))
    assert order(first) != clip_ids("train", 48)


def test_validation_keeps_the_stored_order_and_the_middle_of_each_clip() -> None:
    batches = epoch_of(VALIDATION)
    assert order(batches) == clip_ids("validation", 48)
    whole = np.frombuffer(CLIPS["shard-00000"](["audio"])["audio"][2].as_py(), np.int16)
    np.testing.assert_array_equal(batches[0].audio[0], whole[4_000:12_000])


def test_targets_are_the_labels_of_the_clip_they_stand_beside() -> None:
    for batch in epoch_of(TRAIN):
        assert batch.audio.dtype == np.int16 and batch.targets.dtype == np.float32
        for clip_id, targets in zip(batch.clip_ids, batch.targets, strict=True):
            expected = np.zeros(3)
            expected[int(clip_id.removeprefix("clip-")) % 3] = 1
            np.testing.assert_array_equal(targets, expected)


def test_soft_weights_reach_the_targets() -> None:
    table = LABELS["shard-00000"]()
    halves = [[0.5] * len(targets) for targets in table["targets"].to_pylist()]
    column = table.schema.get_field_index("weights")
    soft = MemoryShard(
        table.set_column(column, table.schema.field("weights"), pa.array(halves, pa.list_(pa.float32())))
    )
    one_shard = replace(TRAIN, clips={"shard-00000": CLIPS["shard-00000"]}, labels={"shard-00000": soft})
    assert {batch.targets.max() for batch in epoch_of(one_shard)} == {np.float32(0.5)}


def test_the_shuffle_buffer_holds_no_more_than_it_may() -> None:
    taken: list[int] = []
    source = (taken.append(number) or number for number in range(100))
    given_out = 0
    for _ in shuffled(source, 7, np.random.default_rng(0)):
        given_out += 1
        assert len(taken) - given_out <= 7
    assert given_out == 100


def test_only_ids_and_sound_are_read_from_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    shard = CLIPS["shard-00000"]
    parquet = shard.open()
    original = parquet.iter_batches

    def watched(*args: object, **options: object) -> object:
        read.append(options["columns"])
        return original(*args, **options)

    monkeypatch.setattr(parquet, "iter_batches", watched)
    monkeypatch.setattr(shard, "open", lambda: parquet)
    epoch_of(replace(TRAIN, clips={"shard-00000": shard}, labels={"shard-00000": LABELS["shard-00000"]}))
    assert read and all(columns == ["clip_id", "audio"] for columns in read)


@given(total=st.integers(1, 500), largest=st.integers(1, 64))
def test_batches_are_as_few_and_as_even_as_can_be(total: int, largest: int) -> None:
    sizes = even_sizes(total, largest)
    assert sum(sizes) == total and max(sizes) <= largest
    assert max(sizes) - min(sizes) <= 1
    assert (len(sizes) - 1) * largest < total


def test_a_labelled_clip_without_sound_is_an_error_that_names_it() -> None:
    key = "shard-00000"
    half = MemoryShard(CLIPS[key]().slice(0, 8))
    with pytest.raises(ValueError, match=r"labels of shard-00000 name .* such as clip-11"):
        epoch_of(replace(TRAIN, clips={key: half}, labels={key: LABELS[key]}))


def test_a_target_outside_the_vocabulary_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"class 2, but label_vocabulary has 2 classes: run merge_labels again"):
        replace(TRAIN, classes=2).count()


def test_an_error_of_the_reading_thread_reaches_the_reader() -> None:
    def broken() -> Iterator[Batch]:
        yield Batch(np.zeros((1, 1), np.int16), np.zeros((1, 1), np.float32), ["a"])
        raise OSError("disk gone")

    batches = prefetched(broken(), 2)
    next(batches)
    with pytest.raises(OSError, match="disk gone"):
        next(batches)


def test_a_reader_that_stops_early_leaves_no_thread_behind() -> None:
    batches = TRAIN.batches(TRAIN.count())
    next(batches)
    batches.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "clip-stream"]
