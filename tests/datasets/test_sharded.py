"""The laws of the sharded dataset: shards are whole or absent, and made once, with any engine, after any crash."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import fsspec
import pytest
from kedro.io import DatasetError

from tests.datasets.jobs import doubled, numbers
from tests.datasets.saving import dataset, jobs, runs, stored_bytes
from tests.storage_servers import BUCKET, s3_server
from xmodal_kedro.datasets.atomic import PARTIAL_PREFIX, sweep
from xmodal_kedro.datasets.sharded import ShardedParquetDataset


def test_what_is_saved_is_loaded_lazily_in_key_order(tmp_path: Path) -> None:
    saved = dataset(tmp_path / "shards")
    saved.save(dict(reversed(jobs().items())))
    shards = dataset(tmp_path / "shards").load()
    assert list(shards) == sorted(jobs())
    shard = shards["shard-00003"]
    assert shard()["number"].to_pylist() == list(range(300, 310))
    assert shard.num_rows == 10
    assert shard.metadata == {"start": "300"}
    with shard.open() as parquet:
        assert parquet.num_row_groups == 3


@pytest.mark.parametrize("backend", ["loky", "threading", "dask"])
def test_every_engine_writes_the_same_bytes(tmp_path: Path, backend: str) -> None:
    dataset(tmp_path / "reference", "threading", 1).save(jobs())
    dataset(tmp_path / backend, backend).save(jobs())
    assert stored_bytes(tmp_path / backend) == stored_bytes(tmp_path / "reference")


def test_an_optional_one_that_was_never_made_holds_nothing_and_does_not_exist(tmp_path: Path) -> None:
    dataset = ShardedParquetDataset(path=str(tmp_path / "never"), optional=True)
    assert dataset.load() == {} and not dataset.exists()
    with pytest.raises(DatasetError, match="missing or not complete"):
        ShardedParquetDataset(path=str(tmp_path / "never")).load()


def test_an_optional_one_that_was_begun_and_not_finished_is_refused(tmp_path: Path) -> None:
    dataset = ShardedParquetDataset(path=str(tmp_path / "begun"), optional=True)
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "a.parquet").write_bytes(b"a shard")
    with pytest.raises(DatasetError, match="missing or not complete"):
        dataset.load()


def test_a_second_save_runs_nothing(tmp_path: Path) -> None:
    log = tmp_path / "log"
    saved = dataset(tmp_path / "shards")
    saved.save(jobs(log=str(log)))
    before = stored_bytes(tmp_path / "shards")
    saved.save(jobs(log=str(log)))
    assert len(runs(log)) == 6
    assert stored_bytes(tmp_path / "shards") == before


def test_a_changed_parameter_makes_every_shard_anew(tmp_path: Path) -> None:
    saved = dataset(tmp_path / "shards")
    saved.save(jobs(rows=10))
    saved.save(jobs(rows=11))
    assert [shard.num_rows for shard in saved.load().values()] == [11] * 6


def test_an_added_shard_is_the_only_one_made(tmp_path: Path) -> None:
    log = tmp_path / "log"
    saved = dataset(tmp_path / "shards")
    saved.save(jobs(5, str(log)))
    saved.save(jobs(6, str(log)))
    assert runs(log) == [0, 100, 200, 300, 400, 500]


def test_a_shard_no_longer_wanted_goes(tmp_path: Path) -> None:
    saved = dataset(tmp_path / "shards")
    saved.save(jobs(6))
    saved.save(jobs(4))
    assert list(saved.load()) == sorted(jobs(4))
    assert not (tmp_path / "shards" / "shard-00005.parquet").exists()


def test_changed_input_shards_change_what_is_made_of_them(tmp_path: Path) -> None:
    source, target = dataset(tmp_path / "source"), dataset(tmp_path / "target", "loky")

    def derive() -> None:
        target.save({key: partial(doubled, shard) for key, shard in source.load().items()})

    source.save(jobs(2))
    derive()
    untouched = (tmp_path / "target" / "shard-00000.parquet").stat().st_mtime_ns
    source.save({**jobs(2), "shard-00001": partial(numbers, 7, 1)})
    derive()
    assert target.load()["shard-00001"]()["number"].to_pylist() == [14]
    assert (tmp_path / "target" / "shard-00000.parquet").stat().st_mtime_ns == untouched


def test_it_exists_only_when_every_shard_does(tmp_path: Path) -> None:
    saved = dataset(tmp_path / "shards")
    assert not saved.exists()
    saved.save(jobs())
    assert saved.exists()
    (tmp_path / "shards" / "shard-00001.parquet").unlink()
    assert not saved.exists()


@pytest.mark.parametrize(
    ("engine", "field"), [({"backend": "ray"}, "engine.backend"), ({"workers": 0}, "engine.workers")]
)
def test_a_wrong_engine_is_refused_by_name(tmp_path: Path, engine: dict[str, object], field: str) -> None:
    with pytest.raises(ValueError, match=field):
        ShardedParquetDataset(path=str(tmp_path), engine=engine)


def test_what_other_processes_stored_in_an_object_store_is_visible_after_a_sweep() -> None:
    folder = f"{BUCKET}/shards"
    with s3_server() as options:
        here, there = (fsspec.filesystem("s3", skip_instance_cache=True, **options) for _ in range(2))
        there.pipe_file(f"{folder}/a", b"older")
        assert here.ls(folder, detail=False) == [f"{folder}/a"]
        for name in ("a", "b", f"{PARTIAL_PREFIX}c"):
            there.pipe_file(f"{folder}/{name}", b"new")
        sweep(here, folder)
        assert here.info(f"{folder}/a")["size"] == len(b"new")
        assert here.ls(folder, detail=False) == [f"{folder}/a", f"{folder}/b"]
