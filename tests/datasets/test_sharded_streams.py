"""Shards that are written in pieces, checked while they are written, and may be provisional."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from kedro.io import DatasetError

from tests.datasets.jobs import clip_rows, doubled, fetched, in_pieces, mixed, numbers, told_twice
from tests.datasets.saving import dataset
from tests.project import PROJECT
from xmodal_kedro.datasets.fingerprint import fingerprint
from xmodal_kedro.schemas.shard_checks import EachShard


def test_what_is_known_at_the_end_is_stored_with_the_shard(tmp_path: Path) -> None:
    saved = dataset(tmp_path / "shards")
    saved.save({"shard-all": told_twice})
    assert saved.load()["shard-all"].metadata == {"counted": "late", "first": "1"}
    assert saved.load()["shard-all"]()["number"].to_pylist() == [1, 2]


def test_a_stream_is_stored_like_a_table(tmp_path: Path) -> None:
    saved = dataset(tmp_path / "shards", "loky")
    saved.save({"pieces": partial(in_pieces, 10, (1, 6)), "whole": partial(mixed, 10)})
    shards = saved.load()
    assert shards["pieces"]().equals(shards["whole"]()) and shards["pieces"]().equals(mixed(10))


def test_a_provisional_shard_counts_as_made_and_the_next_save_makes_it_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    flag = tmp_path / "flag"
    job = partial(fetched, str(flag))
    saved = dataset(tmp_path / "shards")
    saved.save({"far": job, "near": partial(numbers, 1, 1)})
    assert saved.exists()
    assert "1 shard is provisional, and made again by the next run" in caplog.text
    provisional = saved.load()["far"]
    assert provisional.num_rows == 0
    assert provisional.metadata == {"provisional": "1 unreadable"}
    assert provisional.fingerprint != fingerprint(job, saved._parquet_options)

    before = (tmp_path / "shards" / "near.parquet").stat().st_mtime_ns
    flag.touch()
    caplog.clear()
    saved.save({"far": job, "near": partial(numbers, 1, 1)})
    assert saved.load()["far"].num_rows == 5
    assert saved.load()["far"].fingerprint == fingerprint(job, saved._parquet_options)
    assert (tmp_path / "shards" / "near.parquet").stat().st_mtime_ns == before
    assert "provisional" not in caplog.text


def test_what_was_made_of_a_provisional_shard_is_made_again_once_that_is_sound(tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    source, target = dataset(tmp_path / "source"), dataset(tmp_path / "target")

    def derive() -> tuple[list[int], int]:
        source.save({"far": partial(fetched, str(flag))})
        target.save({key: partial(doubled, shard) for key, shard in source.load().items()})
        return target.load()["far"]()["number"].to_pylist(), (tmp_path / "target/far.parquet").stat().st_mtime_ns

    numbers_before, made = derive()
    assert derive() == (numbers_before, made) == ([], made)
    flag.touch()
    assert derive()[0] == [0, 2, 4, 6, 8]


def test_a_shard_is_checked_as_it_passes_and_across_its_tables(tmp_path: Path) -> None:
    saved, check = dataset(tmp_path / "shards"), EachShard("Labels")
    saved.save(check.validate({"sound": partial(clip_rows, "a", "b")}))
    assert saved.load()["sound"].num_rows == 2
    with pytest.raises(DatasetError, match=r"Labels.clip_id repeats 'a' within its shard"):
        saved.save(check.validate({"repeats": partial(clip_rows, "a", "b", "a")}))
    with pytest.raises(DatasetError, match=r"column 'targets' not in dataframe"):
        saved.save(check.validate({"foreign": partial(numbers, 1, 1)}))


def test_the_memory_of_a_worker_does_not_grow_with_its_shard(tmp_path: Path) -> None:
    script = (
        "from functools import partial\n"
        "from tests.datasets.jobs import megabytes\n"
        "from xmodal_kedro.datasets.sharded import ShardedParquetDataset\n"
        "def peak_mb():\n"
        "    lines = dict(line.split(':') for line in open('/proc/self/status'))\n"
        "    return int(lines['VmHWM'].split()[0]) / 1000\n"
        f"data = ShardedParquetDataset(path={str(tmp_path)!r}, engine=dict(backend='threading', workers=1), "
        "compression='none', row_group_rows=64)\n"
        "data.save({'small': partial(megabytes, 30)})\n"
        "small = peak_mb()\n"
        "data.save({'small': partial(megabytes, 30), 'large': partial(megabytes, 500)})\n"
        "print(small, peak_mb())\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=True)
    small_mb, large_mb = map(float, done.stdout.split())
    assert large_mb - small_mb < 30
