"""Points of curves reach the store; a slow or failing store neither delays nor stops the computation."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import mlflow
import pytest
from mlflow.tracking import MlflowClient

from tests.hooks.runs import Tracked
from xmodal_kedro import metric_callbacks
from xmodal_kedro.hooks import curves
from xmodal_kedro.hooks.curves import POINTS_AT_A_TIME, live_curves


@pytest.fixture
def run_id(tracked: Tracked) -> Iterator[str]:
    mlflow.set_tracking_uri(f"sqlite:///{tracked.store}")
    with mlflow.start_run(experiment_id="0") as run:
        yield run.info.run_id


def steps_of(run_id: str, name: str) -> list[int]:
    return [point.step for point in MlflowClient().get_metric_history(run_id, name)]


def test_every_point_is_in_the_store_when_the_block_ends_also_by_an_error(run_id: str) -> None:
    count = POINTS_AT_A_TIME + 7
    with pytest.raises(RuntimeError), live_curves(run_id):
        for step in range(count):
            metric_callbacks.emit({"step.train_loss": 1.0}, step)
        raise RuntimeError
    assert steps_of(run_id, "step.train_loss") == list(range(count))
    metric_callbacks.emit({"step.train_loss": 1.0}, count)
    assert len(steps_of(run_id, "step.train_loss")) == count


def test_points_are_in_the_store_while_the_block_lasts(run_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curves, "SEND_EVERY_S", 0.01)
    sent = threading.Event()
    log_batch = MlflowClient.log_batch

    def signalling(*args: object, **options: object) -> None:
        log_batch(*args, **options)
        sent.set()

    monkeypatch.setattr(MlflowClient, "log_batch", signalling)
    with live_curves(run_id):
        metric_callbacks.emit({"epoch.clips_per_s": 900.0}, 5)
        assert sent.wait(60)
        assert steps_of(run_id, "epoch.clips_per_s") == [5]


def test_an_emit_does_not_wait_for_the_store(run_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curves, "SEND_EVERY_S", 0.01)
    requested, answer = threading.Event(), threading.Event()
    log_batch = MlflowClient.log_batch

    def waiting(*args: object, **options: object) -> None:
        requested.set()
        assert answer.wait(60)
        log_batch(*args, **options)

    monkeypatch.setattr(MlflowClient, "log_batch", waiting)
    with live_curves(run_id):
        metric_callbacks.emit({"step.train_loss": 1.0}, 0)
        was_requested = requested.wait(60)
        metric_callbacks.emit({"step.train_loss": 1.0}, 1)  # returns although the store has not answered
        answer.set()
    assert was_requested
    assert steps_of(run_id, "step.train_loss") == [0, 1]


def test_points_that_the_store_refused_come_later(
    run_id: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(curves, "SEND_EVERY_S", 0.01)
    refused = threading.Event()
    log_batch = MlflowClient.log_batch

    def failing_first(*args: object, **options: object) -> None:
        if not refused.is_set():
            refused.set()
            raise ConnectionError("no route")
        log_batch(*args, **options)

    monkeypatch.setattr(MlflowClient, "log_batch", failing_first)
    with live_curves(run_id):
        metric_callbacks.emit({"step.train_loss": 1.0}, 0)
        assert refused.wait(60)
        metric_callbacks.emit({"step.train_loss": 1.0}, 1)
    assert steps_of(run_id, "step.train_loss") == [0, 1]
    assert "they wait: no route" in caplog.text


def test_lost_points_are_logged_and_the_block_ends_without_error(
    run_id: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(*args: object, **options: object) -> None:
        raise ConnectionError("no route")

    monkeypatch.setattr(MlflowClient, "log_batch", failing)
    with live_curves(run_id):
        metric_callbacks.emit({"step.train_loss": 1.0, "step.learning_rate": 0.1}, 0)
    assert "did not take the last 2 points" in caplog.text
