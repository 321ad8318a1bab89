from __future__ import annotations

import errno
import io

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tests.fakes import MemoryShard
from tests.tones import clip_ids, tone_shards
from xmodal_kedro.data.survey import read_targets, survey

CLIPS, LABELS = tone_shards()
FIRST = "shard-00000"


def test_counts_the_labelled_clips_of_each_split_in_every_row_group() -> None:
    found = survey(CLIPS, LABELS, 3)
    for split, groups in found.items():
        for shard, group, count in zip(groups.shard_G, groups.group_G, groups.count_G, strict=True):
            with CLIPS[groups.keys[shard]].open() as parquet:
                ids = parquet.read_row_group(group)["clip_id"].to_pylist()
            assert count == len(set(ids) & set(clip_ids(split, 48))) > 0
        assert groups.clips == len(clip_ids(split, 48))


def test_the_order_of_the_labels_rows_does_not_matter() -> None:
    backwards = {}
    for key, shard in LABELS.items():
        table = shard()
        backwards[key] = MemoryShard(table.take(pa.array(range(len(table) - 1, -1, -1))))
    there, back = survey(CLIPS, LABELS, 3), survey(CLIPS, backwards, 3)
    assert all(there[split].count_G.tolist() == back[split].count_G.tolist() for split in there)


def test_a_clip_without_targets_takes_no_part() -> None:
    targets = read_targets(FIRST, LABELS[FIRST], "train", 3)
    assert targets.clip_ids.to_pylist() == clip_ids("train", 16)
    assert targets.starts.tolist() == list(range(len(targets.clip_ids) + 1))


def test_a_shard_without_labelled_clips_is_no_error() -> None:
    table = LABELS[FIRST]()
    none = MemoryShard(table.filter(pc.equal(table["split"], "neither")))
    found = survey({FIRST: CLIPS[FIRST]}, {FIRST: none}, 3)
    assert found["train"].clips == found["validation"].clips == 0


def test_a_labelled_clip_without_sound_is_an_error_that_names_it() -> None:
    half = MemoryShard(CLIPS[FIRST]().slice(0, 8))
    with pytest.raises(ValueError, match=r"labels of shard-00000 name 5 clips .* such as clip-11: run"):
        survey({FIRST: half}, {FIRST: LABELS[FIRST]}, 3)


def test_a_target_outside_the_vocabulary_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"class 2, but label_vocabulary has 2 classes: run merge_labels again"):
        survey(CLIPS, LABELS, 2)


def test_a_shard_that_storage_withholds_is_not_to_be_deleted() -> None:
    class Withheld(MemoryShard):
        def open(self, as_dictionary: object = ()) -> pq.ParquetFile:
            raise OSError(errno.ETIMEDOUT, "the server is silent")

    with pytest.raises(ValueError, match=r"storage does not give clips of shard-00000 .*silent.*run again") as raised:
        survey({FIRST: Withheld(CLIPS[FIRST]())}, {FIRST: LABELS[FIRST]}, 3)
    assert "delete" not in str(raised.value)


def test_a_shard_that_cannot_be_read_is_an_error_with_its_place_and_the_remedy() -> None:
    class Broken(MemoryShard):
        def open(self, as_dictionary: object = ()) -> pq.ParquetFile:
            return pq.ParquetFile(io.BytesIO(b"PAR1 of something else PAR1"))

    with pytest.raises(ValueError, match=r"clips of shard-00000 cannot be read .*: delete memory and run the pipeline"):
        survey({FIRST: Broken(CLIPS[FIRST]())}, {FIRST: LABELS[FIRST]}, 3)
