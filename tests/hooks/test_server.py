"""Runs are tracked on a real MLflow server, set up by the one line in docs/tracking.md."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import mlflow
import numpy as np
import pytest
from mlflow.tracking import MlflowClient

from tests.hooks.runs import FAULTS, STEPS, Tracked, catalog_of, end_all
from tests.network_files import sound
from xmodal_kedro import load
from xmodal_kedro.hooks.unfinished import NOTE_NAME

START_LIMIT_S = 120.0


@pytest.fixture(scope="module")
def process(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, subprocess.Popen]]:
    folder = tmp_path_factory.mktemp("server")
    shutil.copy(empty_store, folder / "mlflow.db")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += [
        "--backend-store-uri",
        f"sqlite:///{folder}/mlflow.db",
        "--artifacts-destination",
        str(folder / "files"),
    ]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=folder, start_new_session=True)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{address}/health", process, folder / "log")
        yield address, process
    finally:
        end(process)


def end(process: subprocess.Popen) -> None:
    """End a server and its workers, which outlive it otherwise."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def server(process: tuple[str, subprocess.Popen], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    before = mlflow.get_tracking_uri()
    yield process[0]
    end_all()
    mlflow.set_tracking_uri(before)


def tracked_on(server: str, folder: Path) -> Tracked:
    tracked = Tracked(folder)
    tracked.settings["server"]["mlflow_tracking_uri"] = server
    del tracked.settings["tracking"]["experiment"]["create_experiment_kwargs"]  # the server knows where files go
    return tracked


def wait_for(url: str, process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urlopen(url).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    pytest.fail(f"the server did not start: {log.read_text()[-2000:]}")


def test_a_training_is_tracked_on_a_server_and_its_network_loads_from_there(
    server: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with_password = server.replace("://", "://someone:marker-of-a-password@")
    tracked_on(with_password, tmp_path / "project").run(catalog_of(tmp_path / "data"))
    assert "marker-of-a-password" not in "".join([*capfd.readouterr(), caplog.text])
    client = MlflowClient(server)
    (run,) = client.search_runs([client.get_experiment_by_name("xmodal-kedro").experiment_id])
    assert (run.info.run_name, run.info.status) == ("mobilenet_v2", "FINISHED")
    assert len(client.get_metric_history(run.info.run_id, "step.train_loss")) == STEPS
    assert "card.json" in {file.path for file in client.list_artifacts(run.info.run_id)}
    mlflow.set_tracking_uri(server)
    there = load(run.data.tags["model.uri"], device="cpu")
    here = load(tmp_path / "data" / "06_models" / "mobilenet_v2", device="cpu")
    np.testing.assert_array_equal(there.embed(sound(300), 16_000), here.embed(sound(300), 16_000))


def test_a_server_that_is_lost_during_a_run_costs_no_work(
    server: str, process: tuple[str, subprocess.Popen], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    FAULTS.append(lambda: end(process[1]))
    tracked_on(server, tmp_path / "project").run(catalog_of(tmp_path / "data"))
    made = tmp_path / "data" / "06_models" / "mobilenet_v2"
    assert {path.name for path in made.iterdir()} == {"weights.safetensors", "card.json", NOTE_NAME}
    messages = [record.getMessage() for record in caplog.records if "MLflow store" in record.getMessage()]
    assert len(messages) == 2
    assert messages[0].startswith(f"the MLflow store {server} is lost (Connection refused): the run goes on")
    assert messages[1].startswith(f"all is made, but the MLflow store {server} did not take all of it")
