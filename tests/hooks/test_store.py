"""An unusable store stops a run before it begins; a store that is lost later leaves the record incomplete."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import click
import mlflow
import pytest
from mlflow.exceptions import MlflowException

from tests.hooks.runs import FAULTS, TRAIN, Tracked, catalog_of, end_all
from xmodal_kedro.hooks import store
from xmodal_kedro.up_to_date import Notes, UpToDateRunner
from xmodal_kedro.up_to_date.notes import FOLDER

WITHIN_S = 30.0


@pytest.fixture
def untracked(tmp_path: Path) -> Iterator[Tracked]:
    """A project whose store is not configured yet."""
    before = mlflow.get_tracking_uri()
    yield Tracked(tmp_path / "project")
    end_all()
    mlflow.set_tracking_uri(before)


@pytest.fixture
def unused_address() -> str:
    """Address without a server."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


def refused(tracked: Tracked, uri: str | None, data: Path) -> str:
    """The error of a run that is tracked in `uri`."""
    tracked.settings["server"] = {"mlflow_tracking_uri": uri} if uri else {}
    del tracked.settings["tracking"]["experiment"]["create_experiment_kwargs"]
    began = time.monotonic()
    with pytest.raises(click.ClickException) as raised:
        tracked.run(catalog_of(data))
    assert time.monotonic() - began < WITHIN_S
    assert not data.exists()
    assert "\n" not in raised.value.message
    return raised.value.message


@pytest.mark.parametrize("scheme", ["http", "postgresql"])
def test_a_server_that_does_not_answer_is_named_with_the_file_that_names_it(
    scheme: str, untracked: Tracked, unused_address: str, tmp_path: Path
) -> None:
    message = refused(untracked, f"{scheme}://{unused_address}/runs", tmp_path / "data")
    assert message.startswith(f"no runs can be tracked in {scheme}://{unused_address}/runs (")
    assert "refused)" in message
    assert f"server.mlflow_tracking_uri in {untracked.folder}/conf/base/mlflow.yml names: start that server" in message


def test_a_server_from_a_variable_is_named_with_the_variable(
    untracked: Tracked, unused_address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://{unused_address}")
    assert "which MLFLOW_TRACKING_URI names" in refused(untracked, None, tmp_path / "data")


def test_a_file_that_is_no_database_comes_with_the_remedy(untracked: Tracked, tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("notes of mine, which fill more than the header of a database would")
    message = refused(untracked, f"sqlite:///{tmp_path}/mlflow.db", tmp_path / "data")
    assert "(file is not a database)" in message
    assert message.endswith("restore that file, or move it away and a new one is made")
    (tmp_path / "mlflow.db").unlink()
    (tmp_path / "mlflow.db").mkdir()
    assert "(unable to open database file)" in refused(
        Tracked(untracked.folder), f"sqlite:///{tmp_path}/mlflow.db", tmp_path / "data"
    )


def test_a_locked_database_is_waited_for_and_then_its_holder_is_named(
    untracked: Tracked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "mlflow.db"
    monkeypatch.setattr(store, "LOCKED_FOR_S", 0.3)
    holds = (
        f"import sqlite3, sys; d = sqlite3.connect({str(place)!r}, isolation_level=None); d.execute('BEGIN IMMEDIATE')"
    )
    with subprocess.Popen(
        [sys.executable, "-c", f"{holds}; print(flush=True); sys.stdin.read()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        holder.stdout.readline()
        message = refused(untracked, f"sqlite:///{place}", tmp_path / "data")
        assert "database is locked" in message
        assert f"(process {holder.pid}) held it for 0.3 s" in message
        assert "move it away" not in message
        threading.Timer(0.3, holder.stdin.close).start()
        monkeypatch.setattr(store, "LOCKED_FOR_S", 20.0)
        assert store._problem(f"sqlite:///{place}") is None  # it waits for the holder's end


def test_a_misspelt_field_and_a_store_that_mlflow_no_longer_has_are_reported(
    untracked: Tracked, tmp_path: Path
) -> None:
    untracked.settings["sever"] = {}
    with pytest.raises(click.ClickException, match=r"mlflow.yml is wrong, correct it there: sever: Extra inputs"):
        untracked.run(catalog_of(tmp_path / "data"))
    del untracked.settings["sever"]
    assert "maintenance mode" in refused(untracked, f"file://{tmp_path}/mlruns", tmp_path / "data")


def test_a_password_is_masked(untracked: Tracked, unused_address: str, tmp_path: Path) -> None:
    message = refused(untracked, f"postgresql://me:secret@{unused_address}/runs", tmp_path / "data")
    assert f"postgresql://***@{unused_address}/runs" in message
    assert "secret" not in message


def test_a_lost_store_costs_no_work_and_the_same_command_completes_the_record(
    tracked: Tracked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def lose() -> None:
        def nobody_answers(*_: object, **__: object) -> None:
            raise MlflowException("nobody answers\nat all")

        monkeypatch.setattr(mlflow, "log_artifact", nobody_answers)

    FAULTS.append(lose)
    monkeypatch.setattr(UpToDateRunner, "root", str(tmp_path / "data"))
    (node,) = TRAIN.nodes
    Notes(TRAIN, catalog_of(tmp_path / "data"), UpToDateRunner.root).write(node, "as after a run of the usual runner")
    tracked.run(catalog_of(tmp_path / "data"))
    assert not list((tmp_path / "data" / FOLDER).iterdir())  # the same command runs the node again
    messages = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(messages) == 2
    assert "is lost (nobody answers): the run goes on" in messages[0]
    assert "the same command again goes on from what is made and completes the record" in messages[1]
    assert (tmp_path / "data" / "06_models" / "mobilenet_v2" / "weights.safetensors").exists()
    (run,) = tracked.runs()
    assert run.info.status == "FAILED"
    monkeypatch.undo()
    tracked.run(catalog_of(tmp_path / "data"))
    (again,) = tracked.runs()
    assert (again.info.run_id, again.info.status) == (run.info.run_id, "FINISHED")
