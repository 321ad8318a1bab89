"""A shard that fails, is killed or finds no space affects no other shard."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import pyarrow.parquet as pq
import pytest
from kedro.io import DatasetError

from tests.datasets.jobs import broken_off, crashing, failing, nothing, of_two_kinds, slow_numbers, without_room
from tests.datasets.saving import dataset, jobs, runs, stored_bytes
from tests.project import PROJECT
from xmodal_kedro.datasets.sharded import ShardedParquetDataset
from xmodal_kedro.storage import ShardJob


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


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ETIMEDOUT])
def test_a_shard_that_storage_withholds_is_neither_made_anew_nor_to_be_deleted(
    tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log"
    saved = dataset(tmp_path / "shards")
    saved.save(jobs(2, str(log)))
    before = stored_bytes(tmp_path / "shards")
    shard = saved.load()["shard-00001"]

    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as withheld:
        withheld.setattr(pq, "ParquetFile", refuse)
        with pytest.raises(DatasetError, match=os.strerror(number)):
            saved.save(jobs(2, str(log)))
        with pytest.raises(OSError, match=os.strerror(number)) as raised:
            shard()
    assert "delete" not in str(raised.value)
    saved.save(jobs(2, str(log)))
    assert runs(log) == [0, 100] and stored_bytes(tmp_path / "shards") == before


def test_storage_that_cannot_be_written_is_named_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DatasetError, match=r"cannot write .*file/shards.*data_root"):
        dataset(tmp_path / "file" / "shards").save(jobs(1))


def test_a_disk_that_holds_no_more_leaves_no_half_shard(tmp_path: Path) -> None:
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
    assert "allow larger files" in done.stderr  # the remedy of this limit, which stands in for a full disk
    assert [path.name for path in (tmp_path / "shards").iterdir()] == ["small.parquet"]


@pytest.mark.parametrize(
    ("job", "message"),
    [
        (nothing, "ValueError: "),
        (of_two_kinds, "ValueError: the job's tables differ"),
        (partial(broken_off, "ValueError"), "ValueError: the source went away"),
        (partial(broken_off, "OSError"), "OSError: the source went away"),
    ],
)
def test_a_stream_that_fails_leaves_nothing_and_says_why(tmp_path: Path, job: ShardJob, message: str) -> None:
    with pytest.raises(DatasetError, match=rf"1 of 1 shards failed[^\n]*\n  shard-all: {message}"):
        dataset(tmp_path / "shards").save({"shard-all": job})
    assert not list((tmp_path / "shards").iterdir())


@pytest.mark.parametrize("text", ["[Errno 28] No space left on device", "no room in TMPDIR (No space left on device)"])
def test_a_full_disk_that_a_job_reports_is_not_taken_for_that_of_the_shards(tmp_path: Path, text: str) -> None:
    for job in (partial(failing, text), partial(without_room, text)):
        with pytest.raises(DatasetError) as raised:
            dataset(tmp_path / "shards", "threading").save({"shard-0": job})
        assert text in str(raised.value)
        assert "cannot write" not in str(raised.value)
