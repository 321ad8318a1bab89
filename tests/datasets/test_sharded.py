"""The laws of the sharded dataset: whole or absent, made once, whatever the engine, whatever kills it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import fsspec
import pytest
from kedro.io import DatasetError

from tests.datasets.jobs import (
    broken_off,
    clip_rows,
    crashing,
    doubled,
    failing,
    fetched,
    in_pieces,
    mixed,
    nothing,
    numbers,
    of_two_kinds,
    slow_numbers,
    told_twice,
)
from tests.project import PROJECT
from tests.storage_servers import BUCKET, s3_server
from xmodal_kedro.datasets.fingerprint import fingerprint
from xmodal_kedro.datasets.sharded import ShardedParquetDataset
from xmodal_kedro.datasets.storage import PARTIAL_PREFIX, sweep
from xmodal_kedro.handles import ShardJob, ShardJobs
from xmodal_kedro.shard_checks import EachShard


def dataset(folder: Path, backend: str = "threading", workers: int = 2) -> ShardedParquetDataset:
    return ShardedParquetDataset(path=str(folder), engine={"backend": backend, "workers": workers}, row_group_rows=4)


def jobs(count: int = 6, log: str = "", rows: int = 10) -> ShardJobs:
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


def test_a_job_that_kills_its_worker_costs_itself(tmp_path: Path) -> None:
    saved = dataset(tmp_path / "shards", "loky")
    with pytest.raises(DatasetError, match=r"1 of 6 shards failed[^\n]*\n  shard-00002: its worker process died"):
        saved.save({**jobs(6), "shard-00002": crashing})
    names = {path.stem for path in (tmp_path / "shards").glob("*.parquet")}
    assert names == set(jobs(6)) - {"shard-00002"}
    assert not list((tmp_path / "shards").glob(".partial*"))


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
        [sys.executable, "-c", script], cwd=PROJECT, start_new_session=True, stderr=subprocess.DEVNULL
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
    done = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert "large: OSError" in done.stderr
    assert "make room" in done.stderr
    assert [path.name for path in (tmp_path / "shards").iterdir()] == ["small.parquet"]


def test_what_is_known_at_the_end_is_stored_with_the_shard(tmp_path: Path) -> None:
    saved = dataset(tmp_path / "shards")
    saved.save({"shard-all": told_twice})
    assert saved.load()["shard-all"].metadata == {"told": "late", "first": "1"}
    assert saved.load()["shard-all"]()["number"].to_pylist() == [1, 2]


def test_a_stream_is_stored_like_a_table(tmp_path: Path) -> None:
    saved = dataset(tmp_path / "shards", "loky")
    saved.save({"pieces": partial(in_pieces, 10, (1, 6)), "whole": partial(mixed, 10)})
    shards = saved.load()
    assert shards["pieces"]().equals(shards["whole"]()) and shards["pieces"]().equals(mixed(10))


@pytest.mark.parametrize(
    ("job", "message"),
    [
        (nothing, "ValueError: the job gave no table"),
        (of_two_kinds, "ValueError: the job's tables differ"),
        (partial(broken_off, ValueError), "ValueError: the source went away"),
        (partial(broken_off, OSError), "OSError: the source went away"),
    ],
)
def test_a_stream_that_fails_leaves_nothing_and_says_why(tmp_path: Path, job: ShardJob, message: str) -> None:
    with pytest.raises(DatasetError, match=rf"1 of 1 shards failed[^\n]*\n  shard-all: {message}"):
        dataset(tmp_path / "shards").save({"shard-all": job})
    assert not list((tmp_path / "shards").iterdir())


def test_a_provisional_shard_counts_as_made_and_the_next_save_makes_it_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    flag = tmp_path / "flag"
    job = partial(fetched, str(flag))
    saved = dataset(tmp_path / "shards")
    saved.save({"far": job, "near": partial(numbers, 1, 1)})
    assert saved.exists()
    assert "1 shards are provisional: the next run makes them again" in caplog.text
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


@pytest.mark.parametrize(
    ("engine", "field"), [({"backend": "ray"}, "engine.backend"), ({"workers": 0}, "engine.workers")]
)
def test_a_wrong_engine_is_refused_by_name(tmp_path: Path, engine: dict[str, object], field: str) -> None:
    with pytest.raises(ValueError, match=field):
        ShardedParquetDataset(path=str(tmp_path), engine=engine)


def test_what_other_processes_stored_in_an_object_store_is_seen_after_a_sweep() -> None:
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
