"""The laws of the sharded dataset: whole or absent, made once, whatever the engine, whatever kills it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest
from kedro.io import DatasetError

from tests.datasets.jobs import crashing, doubled, failing, numbers, slow_numbers
from xmodal_kedro.datasets.sharded import ShardedParquetDataset

Jobs = dict[str, Callable[[], pa.Table]]


def dataset(folder: Path, backend: str = "threading", workers: int = 2) -> ShardedParquetDataset:
    return ShardedParquetDataset(path=str(folder), engine={"backend": backend, "workers": workers}, row_group_rows=4)


def jobs(count: int = 6, log: str = "", rows: int = 10) -> Jobs:
    return {f"shard-{n:05d}": partial(numbers, 100 * n, rows, log) for n in range(count)}


def stored_bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def runs(log: Path) -> list[int]:
    return sorted(int(line) for line in log.read_text().splitlines()) if log.exists() else []


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


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_a_failing_job_costs_itself_and_is_named(tmp_path: Path, backend: str) -> None:
    log = tmp_path / "log"
    saved = dataset(tmp_path / "shards", backend)
    wrong = {**jobs(6, str(log)), "shard-00002": partial(failing, "no such codec")}
    with pytest.raises(DatasetError, match=r"1 of 6 shards failed[^\n]*\n  shard-00002: ValueError: no such codec"):
        saved.save(wrong)
    assert not saved.exists()
    with pytest.raises(DatasetError, match="not complete"):
        saved.load()
    saved.save(jobs(6, str(log)))
    assert runs(log) == [0, 100, 200, 300, 400, 500]
    assert saved.exists()


@pytest.mark.parametrize("backend", ["loky", "dask"])
def test_a_job_that_kills_its_worker_costs_itself(tmp_path: Path, backend: str) -> None:
    saved = dataset(tmp_path / "shards", backend)
    with pytest.raises(DatasetError, match=r"1 of 6 shards failed[^\n]*\n  shard-00002: its worker process died"):
        saved.save({**jobs(6), "shard-00002": crashing})
    names = {path.stem for path in (tmp_path / "shards").glob("*.parquet")}
    assert names == set(jobs(6)) - {"shard-00002"}


def test_a_killed_save_resumes_to_the_same_bytes_without_redoing_what_was_done(tmp_path: Path) -> None:
    log, folder = tmp_path / "log", tmp_path / "shards"
    script = (
        "from functools import partial\n"
        "from tests.datasets.jobs import slow_numbers\n"
        "from xmodal_kedro.datasets.sharded import ShardedParquetDataset\n"
        f"data = ShardedParquetDataset(path={str(folder)!r}, engine=dict(backend='loky', workers=2))\n"
        f"data.save({{f'shard-{{n:05d}}': partial(slow_numbers, 100 * n, 0.3, {str(log)!r}) for n in range(12)}})\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=Path(__file__).parents[2], start_new_session=True, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while len(list(folder.glob("*.parquet"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    finished = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.parquet")}
    assert 3 <= len(finished) < 12
    assert not dataset(folder).exists()

    wanted = {f"shard-{n:05d}": partial(slow_numbers, 100 * n, 0.3, str(log)) for n in range(12)}
    again = ShardedParquetDataset(path=str(folder), engine={"backend": "threading", "workers": 12})
    again.save(wanted)
    assert {name: (folder / name).stat().st_mtime_ns for name in finished} == finished

    unbroken = ShardedParquetDataset(path=str(tmp_path / "unbroken"), engine={"backend": "threading", "workers": 12})
    unbroken.save(wanted)
    assert stored_bytes(folder) == stored_bytes(tmp_path / "unbroken")


def test_it_exists_only_when_every_shard_does(tmp_path: Path) -> None:
    saved = dataset(tmp_path / "shards")
    assert not saved.exists()
    saved.save(jobs())
    assert saved.exists()
    (tmp_path / "shards" / "shard-00001.parquet").unlink()
    assert not saved.exists()


def test_a_damaged_shard_is_made_anew(tmp_path: Path) -> None:
    saved = dataset(tmp_path / "shards")
    saved.save(jobs())
    reference = stored_bytes(tmp_path / "shards")
    damaged = tmp_path / "shards" / "shard-00004.parquet"
    damaged.write_bytes(damaged.read_bytes()[:100])
    with pytest.raises(DatasetError, match=r"shard-00004.*not a whole Parquet file.*run the pipeline"):
        saved.load()["shard-00004"]()
    saved.save(jobs())
    assert stored_bytes(tmp_path / "shards") == reference


def test_storage_that_cannot_be_written_is_named_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DatasetError, match=r"cannot write .*file/shards.*data_root"):
        dataset(tmp_path / "file" / "shards").save(jobs(1))


def test_a_full_disk_leaves_no_half_shard(tmp_path: Path) -> None:
    script = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "from functools import partial\n"
        "from tests.datasets.jobs import numbers\n"
        "from xmodal_kedro.datasets.sharded import ShardedParquetDataset\n"
        f"data = ShardedParquetDataset(path={str(tmp_path / 'shards')!r}, engine=dict(backend='threading', workers=1), "
        "compression='none')\n"
        "data.save({'small': partial(numbers, 0, 10), 'large': partial(numbers, 0, 100_000)})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False
    )
    assert "large: OSError" in done.stderr
    assert "make room" in done.stderr
    assert [path.name for path in (tmp_path / "shards").iterdir()] == ["small.parquet"]


@pytest.mark.parametrize(
    ("engine", "field"), [({"backend": "ray"}, "engine.backend"), ({"workers": 0}, "engine.workers")]
)
def test_a_wrong_engine_is_refused_by_name(tmp_path: Path, engine: dict[str, object], field: str) -> None:
    with pytest.raises(ValueError, match=field):
        ShardedParquetDataset(path=str(tmp_path), engine=engine)
