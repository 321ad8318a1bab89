"""One run at a time writes a dataset; a run that was killed holds up nobody."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import click
import fsspec
import pytest
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline

from xmodal_kedro.datasets.files import JsonDataset
from xmodal_kedro.hooks import run_lock
from xmodal_kedro.hooks.run_lock import FOLDER, RunLock, RunLockHooks, place_below

PLACES = {"/out/clips", "/out/probes"}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_lock, "LOOKS_EVERY_S", 0.01)
    monkeypatch.setattr(run_lock, "RENEWED_EVERY_S", 0.02)
    monkeypatch.setattr(run_lock, "SILENCE_S", 0.3)


@pytest.fixture(params=["local", "memory"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    yield str(tmp_path / "data") if request.param == "local" else f"memory://{tmp_path.name}"
    fsspec.filesystem("memory").store.clear()


def notes(root: str) -> list[str]:
    fs, path = fsspec.url_to_fs(f"{root}/{FOLDER}")
    return [str(found) for found in fs.ls(path, detail=False)] if fs.isdir(path) else []


def test_the_second_run_is_refused_and_names_the_first(root: str) -> None:
    first = RunLock(root, PLACES)
    first.take()
    with pytest.raises(click.ClickException, match="another run writes to") as raised:
        RunLock(root, {"/out/clips", "/out/labels"}).take()
    for part in ("/out/clips", f"on {first._note['host']}", f"process {first._note['process']}", first._note["began"]):
        assert part in raised.value.message
    assert len(notes(root)) == 1
    first.release()
    assert not notes(root)
    second = RunLock(root, PLACES)
    second.take()
    second.release()


def test_a_root_that_has_two_names_is_one_place(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "data")
    first = RunLock(str(tmp_path / "data"), {str(tmp_path / "data" / "02_intermediate" / "probes")})
    first.take()
    for name in ("link", "link/../data", "data/"):
        place = f"{tmp_path}/{name}/02_intermediate/probes"
        with pytest.raises(click.ClickException, match="another run writes to") as raised:
            RunLock(f"{tmp_path}/{name}", {place}).take()
        assert place in raised.value.message
    first.release()


@pytest.mark.parametrize(
    ("root", "place", "name"),
    [
        ("/data/out", "/data/out/a/b", "a/b"),
        ("relative/out", "relative/out/a/b", "a/b"),
        ("/data/out/", "/data/out//a/b", "a/b"),
        ("/data/out", "/data/out_2/a", "/data/out_2/a"),
        ("s3://bucket/out", "s3://bucket/out/a", "a"),
        ("s3a://bucket/out/", "s3://bucket/out/a", "a"),
        ("s3://bucket/out", "s3://bucket/out_2/a", "bucket/out_2/a"),
        ("s3://bucket/out", "/data/a", "/data/a"),
        ("/data/out", "s3://bucket/a", "bucket/a"),
    ],
)
def test_a_place_is_called_by_where_it_is_below_the_root(root: str, place: str, name: str) -> None:
    assert place_below(root, place) == name


def test_runs_that_write_other_datasets_go_on_together(root: str) -> None:
    locks = [RunLock(root, {place}) for place in PLACES]
    for lock in locks:
        lock.take()
    assert len(notes(root)) == len(PLACES)
    for lock in locks:
        lock.release()
    assert not notes(root)


def test_machines_of_one_training_write_the_same(root: str) -> None:
    locks = [RunLock(root, PLACES, group="a training") for _ in range(2)]
    for lock in locks:
        lock.take()
    with pytest.raises(click.ClickException):
        RunLock(root, PLACES).take()
    for lock in locks:
        lock.release()


def test_of_runs_that_begin_together_one_goes_on(root: str) -> None:
    start = threading.Barrier(8, timeout=60)

    def take(lock: RunLock) -> RunLock | None:
        start.wait()
        try:
            lock.take()
        except click.ClickException:
            return None
        return lock

    for _ in range(5):
        with ThreadPoolExecutor(8) as threads:
            taken = [lock for lock in threads.map(take, [RunLock(root, PLACES) for _ in range(8)]) if lock]
        assert len(taken) == 1
        taken[0].release()


def test_a_killed_run_of_this_machine_is_recognised_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_lock, "SILENCE_S", 1000)
    code = (
        "import os, signal; from xmodal_kedro.hooks.run_lock import RunLock\n"
        f"RunLock({str(tmp_path)!r}, {PLACES!r}).take(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    assert len(notes(str(tmp_path))) == 1
    lock = RunLock(str(tmp_path), PLACES)
    lock.take()
    assert len(notes(str(tmp_path))) == 1
    lock.release()


def of_another_machine(root: str, **changes: Any) -> Path:
    """The note of a run of another machine, whose process has a number that is in use here."""
    lock = RunLock(root, PLACES)
    path = Path(root) / FOLDER / "0.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(lock._note | {"id": "0", "state": "running", "machine": "far", "host": "far"} | changes))
    return path


def test_a_silent_note_of_another_machine_is_waited_for_and_then_removed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    path = of_another_machine(str(tmp_path))
    lock = RunLock(str(tmp_path), PLACES)
    lock.take()
    assert not path.exists()
    assert "on far" in caplog.text
    lock.release()


def test_a_note_of_another_machine_that_is_renewed_is_respected(tmp_path: Path) -> None:
    path, over = of_another_machine(str(tmp_path)), threading.Event()

    def renew() -> None:
        for number in iter(lambda: 1 + int(time.monotonic() * 100), None):
            if over.wait(0.02):
                return
            part = path.with_name("part")
            part.write_text(json.dumps(json.loads(path.read_text()) | {"renewed": number}))
            part.rename(path)

    thread = threading.Thread(target=renew)
    thread.start()
    try:
        with pytest.raises(click.ClickException, match="on far"):
            RunLock(str(tmp_path), PLACES).take()
    finally:
        over.set()
        thread.join()
    assert path.exists()


def test_what_is_no_note_holds_up_nobody(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    for name, text in (("a.json", "{"), ("b.json", "[]"), ("c.json", "{}"), ("d.txt", "x")):
        (tmp_path / FOLDER / name).write_text(text)
    lock = RunLock(str(tmp_path), PLACES)
    lock.take()
    lock.release()
    assert len(list((tmp_path / FOLDER).iterdir())) == 4


def test_a_run_takes_the_lock_of_what_its_pipeline_writes(tmp_path: Path) -> None:
    catalog = DataCatalog({name: JsonDataset(filepath=str(tmp_path / name)) for name in ("a", "b")})
    writes_b = Pipeline([Node(lambda a: a, "a", "b", name="copy")])
    writes_none = Pipeline([Node(lambda a: a, "a", "kept_in_memory", name="read")])
    hooks = RunLockHooks()
    hooks._root = str(tmp_path)
    hooks.before_pipeline_run(writes_b, catalog)
    other = RunLockHooks()
    other._root = str(tmp_path)
    other.before_pipeline_run(writes_none, catalog)
    with pytest.raises(click.ClickException, match="another run"):
        other.before_pipeline_run(writes_b, catalog)
    hooks.on_pipeline_error()
    other.before_pipeline_run(writes_b, catalog)
    other.after_pipeline_run()
    assert not (tmp_path / FOLDER).exists()
