"""A store that cannot be used ends a run before it begins; one that is lost later costs the record, not the run."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import click
import mlflow
import pytest
from mlflow.exceptions import MlflowException

from tests.hooks.runs import FAULTS, Tracked, catalog_of, end_all

WITHIN_S = 30.0


@pytest.fixture
def untracked(tmp_path: Path) -> Iterator[Tracked]:
    """A project whose store is yet to be named."""
    before = mlflow.get_tracking_uri()
    yield Tracked(tmp_path / "project")
    end_all()
    mlflow.set_tracking_uri(before)


@pytest.fixture
def nobody() -> str:
    """The address of a server that is not there."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


def refused(tracked: Tracked, uri: str | None, data: Path) -> str:
    """What a user is told whose runs go to `uri`."""
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
    scheme: str, untracked: Tracked, nobody: str, tmp_path: Path
) -> None:
    said = refused(untracked, f"{scheme}://{nobody}/runs", tmp_path / "data")
    assert said.startswith(f"no runs can be tracked in {scheme}://{nobody}/runs (")
    assert "refused)" in said
    assert f"server.mlflow_tracking_uri in {untracked.folder}/conf/base/mlflow.yml names: start that server" in said


def test_a_server_that_a_variable_names_is_told_by_that(
    untracked: Tracked, nobody: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://{nobody}")
    assert "which MLFLOW_TRACKING_URI names" in refused(untracked, None, tmp_path / "data")


def test_a_file_that_is_no_database_comes_with_the_remedy(untracked: Tracked, tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("notes of mine, which fill more than the header of a database would")
    said = refused(untracked, f"sqlite:///{tmp_path}/mlflow.db", tmp_path / "data")
    assert "(file is not a database)" in said
    assert said.endswith("restore that file, or move it away and a new one is made")
    (tmp_path / "mlflow.db").unlink()
    (tmp_path / "mlflow.db").mkdir()
    assert "(unable to open database file)" in refused(
        Tracked(untracked.folder), f"sqlite:///{tmp_path}/mlflow.db", tmp_path / "data"
    )


def test_a_misspelt_field_and_a_store_that_mlflow_no_longer_has_are_told(untracked: Tracked, tmp_path: Path) -> None:
    untracked.settings["sever"] = {}
    with pytest.raises(click.ClickException, match=r"mlflow.yml is wrong, correct it there: sever: Extra inputs"):
        untracked.run(catalog_of(tmp_path / "data"))
    del untracked.settings["sever"]
    assert "maintenance mode" in refused(untracked, f"file://{tmp_path}/mlruns", tmp_path / "data")


def test_a_password_is_not_told(untracked: Tracked, nobody: str, tmp_path: Path) -> None:
    said = refused(untracked, f"postgresql://me:secret@{nobody}/runs", tmp_path / "data")
    assert f"postgresql://me:***@{nobody}/runs" in said
    assert "secret" not in said


def test_a_lost_store_costs_no_work_and_the_same_command_completes_the_record(
    tracked: Tracked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def lose() -> None:
        def nobody_answers(*_: object, **__: object) -> None:
            raise MlflowException("nobody answers\nat all")

        monkeypatch.setattr(mlflow, "log_artifact", nobody_answers)

    FAULTS.append(lose)
    tracked.run(catalog_of(tmp_path / "data"))
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(said) == 2
    assert "is lost (nobody answers): the run goes on" in said[0]
    assert "the same command again goes on from what is made and completes the record" in said[1]
    assert (tmp_path / "data" / "06_models" / "mobilenet_v2" / "weights.safetensors").exists()
    (run,) = tracked.runs()
    assert run.info.status == "FAILED"
    monkeypatch.undo()
    tracked.run(catalog_of(tmp_path / "data"))
    (again,) = tracked.runs()
    assert (again.info.run_id, again.info.status) == (run.info.run_id, "FINISHED")
