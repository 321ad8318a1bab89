from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes import MemoryShard
from tests.tones import (
    clip_ids,
    frame_embedding,
    frame_embeddings,
    has_frames,
    tone_embedding,
    tone_embeddings,
    tone_shards,
)
from xmodal_kedro.data import teacher_embeddings
from xmodal_kedro.data.batch import Batch
from xmodal_kedro.data.loader import ClipStream, Reader
from xmodal_kedro.data.survey import survey
from xmodal_kedro.data.teacher_embeddings import Embeddings
from xmodal_kedro.errors import UserError
from xmodal_kedro.schemas import TEACHER_EMBEDDINGS_ARROW

CLIPS, LABELS = tone_shards(duration_s=1.0)
GROUPS = survey(CLIPS, LABELS, 3)
TRAIN = ClipStream(
    clips=CLIPS,
    labels=LABELS,
    embeddings={"audio": Embeddings(tone_embeddings()), "visual": Embeddings(frame_embeddings(), "visual")},
    split="train",
    groups=GROUPS["train"],
    classes=3,
    clip_s=0.5,
    batch_size=8,
    shuffle_buffer=32,
    streams=4,
    seed=0,
)
VALIDATION = replace(TRAIN, split="validation", groups=GROUPS["validation"])


def order(batches: list[Batch]) -> list[str]:
    return [clip_id for batch in batches for clip_id in batch.clip_ids]


def assert_same(ours: list[Batch], theirs: list[Batch]) -> None:
    assert order(ours) == order(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert torch.equal(one.audio, other.audio) and torch.equal(one.targets, other.targets)
        for ours_of, theirs_of in zip(one.embeddings.values(), other.embeddings.values(), strict=True):
            assert all(map(torch.equal, ours_of, theirs_of))
        assert one.parts == other.parts and one.clips == other.clips


@settings(deadline=None, max_examples=25)
@given(
    batch_size=st.integers(2, 50),
    shuffle_buffer=st.integers(1, 60),
    streams=st.integers(1, 6),
    seed=st.integers(0, 9),
    epoch=st.integers(0, 9),
)
def test_every_labelled_clip_of_the_split_comes_once_an_epoch(
    batch_size: int, shuffle_buffer: int, streams: int, seed: int, epoch: int
) -> None:
    clips = replace(TRAIN, batch_size=batch_size, shuffle_buffer=shuffle_buffer, streams=streams, seed=seed)
    assert sorted(order(list(clips.batches(epoch)))) == sorted(clip_ids("train", 48))


@pytest.mark.parametrize("first_step", range(6))
@pytest.mark.parametrize("shuffle_buffer", [1, 32, 1_000])
def test_an_epoch_taken_up_at_a_step_goes_on_as_if_it_had_not_been_left(first_step: int, shuffle_buffer: int) -> None:
    clips = replace(TRAIN, shuffle_buffer=shuffle_buffer)
    assert_same(list(clips.batches(3, first_step)), list(clips.batches(3))[first_step:])


def test_what_comes_before_the_step_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    pools: list[int] = []
    original = ClipStream._read_pool

    def watched(self: ClipStream, targets_of: object, epoch: int, stream: int, pool: object) -> object:
        pools.append(stream)
        return original(self, targets_of, epoch, stream, pool)  # type: ignore[arg-type]

    monkeypatch.setattr(ClipStream, "_read_pool", watched)
    clips = replace(TRAIN, shuffle_buffer=1, streams=1)
    whole = len(list(clips.batches())) and len(pools)
    pools.clear()
    list(clips.batches(0, 4))
    assert len(pools) < whole / 2


@pytest.mark.parametrize("ranks", [2, 4])
def test_ranks_share_each_batch_without_overlap_and_together_make_the_same_one(ranks: int) -> None:
    whole = list(TRAIN.batches(2))
    shares = [list(TRAIN.batches(2, 0, Reader(rank, ranks))) for rank in range(ranks)]
    for step, batch in enumerate(whole):
        parts = [share[step] for share in shares]
        assert sorted(order(parts)) == sorted(batch.clip_ids)
        assert {part.clips for part in parts} == {batch.clips} == {len(batch.clip_ids)}
        sounds = {clip_id: sound for part in parts for clip_id, sound in zip(part.clip_ids, part.audio, strict=True)}
        assert all(torch.equal(sounds[name], sound) for name, sound in zip(batch.clip_ids, batch.audio, strict=True))


def test_the_number_of_threads_changes_nothing() -> None:
    assert_same(list(TRAIN.batches(1, 0, Reader(threads=3))), list(TRAIN.batches(1)))


def test_seed_and_epoch_alone_decide_order_and_cuts() -> None:
    first = list(TRAIN.batches(3))
    assert_same(first, list(TRAIN.batches(3)))
    assert order(first) != order(list(TRAIN.batches(4)))
    assert order(first) != order(list(replace(TRAIN, seed=1).batches(3)))
    assert order(first) != clip_ids("train", 48)


def test_each_clip_comes_with_what_its_teacher_told_of_it() -> None:
    for batch in TRAIN.batches(1):
        reported = [torch.from_numpy(tone_embedding(int(clip_id.removeprefix("clip-")))) for clip_id in batch.clip_ids]
        assert torch.equal(batch.embeddings["audio"].values_BE, torch.stack(reported))
        assert (batch.embeddings["audio"].shares_B1 == 1).all()
    assert all(batch.embeddings == {} for batch in replace(TRAIN, embeddings={}).batches(1))


def test_a_clip_without_frames_has_no_part_in_the_visual_embedding() -> None:
    for batch in TRAIN.batches(1):
        values_BE, shares_B1 = batch.embeddings["visual"]
        for clip_id, value_E, share in zip(batch.clip_ids, values_BE, shares_B1[:, 0].tolist(), strict=True):
            assert share == has_frames(clip_id)
            number = int(clip_id.removeprefix("clip-"))
            wanted = torch.from_numpy(frame_embedding(number)) if share else torch.zeros(6).half()
            assert torch.equal(value_E, wanted)


def test_statistics_are_those_of_all_embeddings_in_any_order_of_the_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    shards = frame_embeddings()
    numbers = [number for number in range(48) if has_frames(f"clip-{number}")]
    rows = np.stack([frame_embedding(number) for number in numbers]).astype(np.float64)
    mean_E, std_E = Embeddings(shards, "visual").statistics
    np.testing.assert_allclose(mean_E, rows.mean(0), rtol=1e-6)
    np.testing.assert_allclose(std_E, np.sqrt(rows.var(0) + 1e-5), rtol=1e-6)
    backwards = Embeddings(dict(reversed(shards.items())), "visual").statistics
    np.testing.assert_array_equal(backwards.mean_E, mean_E)
    monkeypatch.setattr(teacher_embeddings, "MAX_STATISTICS_CLIPS", 1)
    assert not np.array_equal(Embeddings(shards, "visual").statistics.mean_E, mean_E)


def test_a_shard_of_which_no_clip_has_frames_is_read_too() -> None:
    empty = TEACHER_EMBEDDINGS_ARROW.empty_table().replace_schema_metadata({"embedding_size": "0"})
    embeddings = Embeddings({**frame_embeddings(), "shard-00000": MemoryShard(empty)}, "visual")
    assert embeddings.size == 6
    batches = list(replace(TRAIN, embeddings={"visual": embeddings}).batches())
    frames = {
        clip_id
        for batch in batches
        for clip_id, share in zip(batch.clip_ids, batch.embeddings["visual"].shares_B1, strict=True)
        if share
    }
    assert frames == {name for name in clip_ids("train", 48) if has_frames(name) and int(name[5:]) >= 16}


def test_a_visual_embedding_of_another_size_names_its_shard() -> None:
    wrong = tone_embeddings()["shard-00001"]
    embeddings = Embeddings({**frame_embeddings(), "shard-00001": wrong}, "visual")
    with pytest.raises(UserError, match=r"visual_teacher_embeddings of shard-00001.*visual_label"):
        list(replace(TRAIN, embeddings={"visual": embeddings}).batches())


def test_a_clip_without_its_teachers_embedding_is_named() -> None:
    shards = tone_embeddings()
    rows = shards["shard-00001"]()
    kept = rows.filter(pc.not_equal(rows["clip_id"], "clip-20"))
    lacking = Embeddings({**shards, "shard-00001": MemoryShard(kept)})
    with pytest.raises(ValueError, match=r"teacher_embeddings of shard-00001 has none of clip-20: run .* audio_label"):
        list(replace(TRAIN, embeddings={"audio": lacking}).batches())


def test_training_cuts_differ_between_epochs() -> None:
    def sounds(epoch: int) -> dict[str, torch.Tensor]:
        return {
            name: sound
            for batch in TRAIN.batches(epoch)
            for name, sound in zip(batch.clip_ids, batch.audio, strict=True)
        }

    one, other = sounds(0), sounds(1)
    assert sum(torch.equal(one[name], other[name]) for name in one) < len(one) / 4


def test_validation_is_always_the_same_and_takes_the_middle_of_each_clip() -> None:
    batches = list(VALIDATION.batches())
    assert_same(batches, list(VALIDATION.batches(5)))
    assert sorted(order(batches)) == sorted(clip_ids("validation", 48))
    stored = {
        row["clip_id"]: row["audio"] for shard in CLIPS.values() for row in shard(["clip_id", "audio"]).to_pylist()
    }
    for batch in batches:
        for clip_id, sound in zip(batch.clip_ids, batch.audio, strict=True):
            whole = np.frombuffer(stored[clip_id], np.int16)
            np.testing.assert_array_equal(sound.numpy(), whole[4_000:12_000])


def test_a_shorter_clip_is_repeated() -> None:
    batch = next(replace(TRAIN, clip_s=2.5).batches())
    assert batch.audio.shape == (8, 40_000)
    assert torch.equal(batch.audio[:, :16_000], batch.audio[:, 16_000:32_000])


def test_targets_are_the_labels_of_the_clip_they_stand_beside() -> None:
    for batch in TRAIN.batches():
        assert batch.audio.dtype == torch.int16 and batch.targets.dtype == torch.float32
        for clip_id, targets in zip(batch.clip_ids, batch.targets, strict=True):
            expected = torch.zeros(3)
            expected[int(clip_id.removeprefix("clip-")) % 3] = 1
            assert torch.equal(targets, expected)


def test_soft_weights_reach_the_targets() -> None:
    table = LABELS["shard-00000"]()
    halves = [[0.5] * len(targets) for targets in table["targets"].to_pylist()]
    column = table.schema.get_field_index("weights")
    soft = MemoryShard(
        table.set_column(column, table.schema.field("weights"), pa.array(halves, pa.list_(pa.float32())))
    )
    clips, labels = {"shard-00000": CLIPS["shard-00000"]}, {"shard-00000": soft}
    one_shard = replace(TRAIN, clips=clips, labels=labels, groups=survey(clips, labels, 3)["train"])
    assert {float(batch.targets.max()) for batch in one_shard.batches()} == {0.5}


def test_a_shard_that_changed_since_the_survey_is_an_error() -> None:
    key = "shard-00001"
    with pytest.raises(ValueError, match=r"shard-00001 has changed since training began: start training again"):
        list(replace(TRAIN, clips={**CLIPS, key: CLIPS["shard-00000"]}).batches())


def test_a_reader_that_stops_early_leaves_no_thread_behind() -> None:
    batches = TRAIN.batches()
    next(batches)
    batches.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(("prefetch", "clip-reader"))]
