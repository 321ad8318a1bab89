import json
import pickle
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes import MemoryShard, folder_of, shard_of
from tests.teachers.fixtures import (
    clips_shard,
    colour_card,
    jpeg,
    pitch_card,
    tone,
    write_colour_teacher,
    write_pitch_teacher,
)
from xmodal_kedro.datasets.fingerprint import fingerprint
from xmodal_kedro.datasets.stored_shard import StoredShard
from xmodal_kedro.params import LabelParams, TeacherCard
from xmodal_kedro.schemas import CLIPS_ARROW, TEACHER_LABELS_ARROW, TeacherLabels
from xmodal_kedro.storage import Folder
from xmodal_kedro.teachers.labelling import label_clips

RED, GREEN, BLACK = jpeg(255, 0, 0), jpeg(0, 255, 0), jpeg(0, 0, 0)


@pytest.fixture(scope="module")
def teachers(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    folder = tmp_path_factory.mktemp("teachers")
    write_colour_teacher(folder)
    write_pitch_teacher(folder)
    return folder_of(folder)


def label(clips: MemoryShard, card: TeacherCard, teachers: Folder, **params: object) -> pa.Table:
    jobs = label_clips({"shard-00007": clips}, teachers, card, LabelParams.model_validate(params))
    assert list(jobs) == ["shard-00007"]
    return shard_of(pickle.loads(pickle.dumps(jobs["shard-00007"])))()


def as_tuples(table: pa.Table) -> list[tuple[str, str, float]]:
    return [(row["clip_id"], row["label"], round(row["score"], 2)) for row in table.to_pylist()]


def test_frames_of_a_clip_are_averaged(teachers: Folder) -> None:
    table = label(clips_shard([{"frames": [RED, BLACK]}]), colour_card(), teachers, min_score=0.1)
    assert as_tuples(table) == [("clip-000", "red", 0.5)]
    assert table.schema.remove_metadata() == TEACHER_LABELS_ARROW
    TeacherLabels.validate(table.to_pandas())


def test_max_pooling_takes_the_best_picture(teachers: Folder) -> None:
    clips = clips_shard([{"frames": [RED, GREEN, BLACK]}])
    table = label(clips, colour_card(), teachers, pooling="max", min_score=0.1)
    assert as_tuples(table) == [("clip-000", "green", 1.0), ("clip-000", "red", 1.0)]


def test_top_k_keeps_the_best_and_equal_scores_go_by_name(teachers: Folder) -> None:
    grey = jpeg(128, 128, 128)
    table = label(clips_shard([{"frames": [grey]}]), colour_card(), teachers, top_k=2)
    assert [row[1] for row in as_tuples(table)] == ["blue", "green"]


def test_classes_to_ignore_are_never_labels(teachers: Folder) -> None:
    clips = clips_shard([{"frames": [RED]}])
    table = label(clips, colour_card(ignore=["red"]), teachers, min_score=0)
    assert {row[1] for row in as_tuples(table)} == {"green", "blue"}


def test_every_clip_is_labelled_or_counted_with_the_reason(teachers: Folder) -> None:
    clips = clips_shard([{"frames": [BLACK]}, {"frames": []}, {"frames": [RED]}, {"frames": [BLACK, BLACK]}])
    table = label(clips, colour_card(), teachers, min_score=0.5)
    assert as_tuples(table) == [("clip-002", "red", 1.0)]
    assert table.schema.metadata[b"clips"] == b"4"
    assert json.loads(table.schema.metadata[b"unlabelled"]) == {"no_picture": 1, "below_min_score": 2}


def test_clips_without_frames_get_no_label_even_without_a_min_score(teachers: Folder) -> None:
    table = label(clips_shard([{"frames": []}]), colour_card(), teachers, min_score=0)
    assert table.num_rows == 0
    assert json.loads(table.schema.metadata[b"unlabelled"]) == {"no_picture": 1, "below_min_score": 0}


def test_sound_is_labelled_by_its_patches(teachers: Folder) -> None:
    clips = clips_shard([{"audio": tone(300)}, {"audio": tone(1000, 3.0)}, {"audio": tone(5000, 0.5)}])
    table = label(clips, pitch_card(), teachers, top_k=1, min_score=0)
    bands = [int(row[1].removeprefix("band ")) for row in as_tuples(table)]
    assert [row[0] for row in as_tuples(table)] == ["clip-000", "clip-001", "clip-002"]
    assert bands[0] < 15 < bands[1] < 35 < bands[2]


def test_only_the_column_that_the_teacher_needs_is_read(teachers: Folder) -> None:
    with_both = clips_shard([{"frames": [RED]}])()
    sighted = MemoryShard(with_both.drop_columns(["audio", "video_id"]))
    hearing = MemoryShard(with_both.drop_columns(["frames", "video_id"]))
    assert label(sighted, colour_card(), teachers).num_rows
    assert label(hearing, pitch_card(), teachers).num_rows


def test_a_picture_that_cannot_be_decoded_names_its_clip(teachers: Folder) -> None:
    with pytest.raises(ValueError, match="clip clip-001: frame 0 of 3 bytes cannot be decoded"):
        label(clips_shard([{"frames": [RED]}, {"frames": [b"bad"]}]), colour_card(), teachers)


def test_a_wrong_card_fails_before_any_shard_is_read(teachers: Folder) -> None:
    with pytest.raises(ValueError, match=r"set output\.tensor"):
        label_clips({}, teachers, colour_card(output__tensor="logits"), LabelParams())


def test_a_job_has_a_fingerprint_that_follows_clips_card_and_parameters(teachers: Folder) -> None:
    red, green = clips_shard([{"frames": [RED]}]), clips_shard([{"frames": [GREEN]}])

    def of(clips: MemoryShard, card: TeacherCard, params: LabelParams) -> str:
        return fingerprint(label_clips({"s": clips}, teachers, card, params)["s"])

    same = of(red, colour_card(), LabelParams())
    assert same == of(red, colour_card(), LabelParams())
    others = [
        of(green, colour_card(), LabelParams()),
        of(red, colour_card(ignore=["red"]), LabelParams()),
        of(red, colour_card(), LabelParams(top_k=1)),
    ]
    assert len({same, *others}) == 4
    assert same == of(red, colour_card(sounds="imagenet"), LabelParams(batch_size=3, prepare_threads=2))


def test_a_large_shard_is_labelled_in_parts(teachers: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    clips = clips_shard([{"frames": [RED] * (number % 3)} for number in range(20)])
    whole = label(clips, colour_card(), teachers)
    monkeypatch.setattr("xmodal_kedro.teachers.labelling.CLIPS_AT_A_TIME", 3)
    assert label(clips, colour_card(), teachers).equals(whole, check_metadata=True)


@dataclass(frozen=True)
class UnmappedShard(StoredShard):
    """A stored shard that is neither mapped nor buffered as a whole, which would count as memory of its reader."""

    def open(self, as_dictionary: Sequence[str] = ()) -> pq.ParquetFile:
        return pq.ParquetFile(self.path, read_dictionary=list(as_dictionary), pre_buffer=False)


def write_noises(path: Path, parts: int) -> UnmappedShard:
    """A shard of 64 clips of 4 s a part."""
    with pq.ParquetWriter(path, CLIPS_ARROW, compression="none") as writer:
        for part in range(parts):
            sounds = np.random.default_rng(part).integers(-3000, 3000, (64, 64_000)).astype("<i2")
            clips = [
                {"clip_id": f"clip-{part}-{number}", "audio": sound.tobytes()} for number, sound in enumerate(sounds)
            ]
            writer.write_table(clips_shard(clips)())
    return UnmappedShard(str(path), "")


def memory_while_labelling(shard: UnmappedShard, teachers: Path, threads: int) -> int:
    """Most bytes that this process has in memory when it gives a table of labels."""
    params = LabelParams(prepare_threads=threads, min_score=0)
    job = label_clips({"shard": shard}, folder_of(teachers), pitch_card(), params)["shard"]
    return max(psutil.Process().memory_info().rss for _ in job())


def test_memory_does_not_grow_with_the_size_of_a_shard(tmp_path: Path) -> None:
    write_pitch_teacher(tmp_path / "teachers")
    small, large = write_noises(tmp_path / "small.parquet", 2), write_noises(tmp_path / "large.parquet", 16)
    assert Path(large.path).stat().st_size > 130e6
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        for threads in (0, 2):
            of_small, of_large = process.map(
                partial(memory_while_labelling, teachers=tmp_path / "teachers", threads=threads), [small, large]
            )
            assert of_large - of_small < 50e6, f"with {threads} threads"


@settings(deadline=None, max_examples=30)
@given(
    frames=st.lists(st.lists(st.sampled_from([RED, GREEN, BLACK]), max_size=4), max_size=9),
    batch_size=st.integers(1, 12),
    min_score=st.sampled_from([0.0, 0.3, 0.9]),
    top_k=st.integers(1, 3),
)
def test_labels_obey_their_laws_whatever_the_batch_size(
    teachers: Folder, frames: list[list[bytes]], batch_size: int, min_score: float, top_k: int
) -> None:
    clips = clips_shard([{"frames": jpegs} for jpegs in frames])
    table = label(clips, colour_card(), teachers, batch_size=batch_size, min_score=min_score, top_k=top_k)
    whole = label(clips, colour_card(), teachers, batch_size=1000, min_score=min_score, top_k=top_k)
    rows = as_tuples(table)
    assert rows == as_tuples(whole)
    assert table.schema.metadata == whole.schema.metadata
    TeacherLabels.validate(table.to_pandas())
    assert rows == sorted(rows, key=lambda row: (row[0], -row[2], row[1]))
    assert np.all(table["score"].to_numpy() >= min_score)
    per_clip = {clip_id: [row for row in rows if row[0] == clip_id] for clip_id, _, _ in rows}
    assert all(len(found) <= top_k for found in per_clip.values())
    unlabelled = json.loads(table.schema.metadata[b"unlabelled"])
    assert len(per_clip) + sum(unlabelled.values()) == len(frames) == int(table.schema.metadata[b"clips"])
