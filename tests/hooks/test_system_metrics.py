"""The load of the machine is logged in runs of any length, with and without GPUs."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import mlflow
import pytest
from mlflow.system_metrics.metrics import gpu_monitor

from tests.hooks.runs import Tracked
from xmodal_kedro.hooks.system_metrics import MAX_INTERVAL_S, LoadMonitor, system_metrics


@pytest.fixture
def run_id(tracked: Tracked) -> Iterator[str]:
    mlflow.set_tracking_uri(f"sqlite:///{tracked.store}")
    with mlflow.start_run(experiment_id="0", log_system_metrics=False) as run:
        yield run.info.run_id


@pytest.fixture
def one_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {
        "nvmlInit": None,
        "nvmlDeviceGetCount": 1,
        "nvmlDeviceGetHandleByIndex": "gpu",
        "nvmlDeviceGetMemoryInfo": SimpleNamespace(used=20e9, total=80e9),
        "nvmlDeviceGetUtilizationRates": SimpleNamespace(gpu=93),
        "nvmlDeviceGetPowerUsage": 500_000,
        "nvmlDeviceGetEnforcedPowerLimit": 700_000,
    }
    for name, answer in answers.items():
        monkeypatch.setattr(gpu_monitor.pynvml, name, lambda *_, answer=answer: answer)


def logged(run_id: str) -> dict[str, float]:
    return mlflow.get_run(run_id).data.metrics


def test_a_run_of_no_time_has_its_load_logged(run_id: str) -> None:
    with system_metrics(run_id):
        pass
    assert {"system/cpu_utilization_percentage", "system/system_memory_usage_megabytes"} <= logged(run_id).keys()


def test_memory_and_utilisation_of_a_gpu_are_logged(run_id: str, one_gpu: None) -> None:
    with system_metrics(run_id):
        pass
    load = logged(run_id)
    assert load["system/gpu_0_memory_usage_megabytes"] == 20_000
    assert load["system/gpu_0_utilization_percentage"] == 93


def test_a_run_that_goes_on_has_its_samples_after_those_before(run_id: str) -> None:
    for _ in range(2):
        with system_metrics(run_id):
            pass
    history = mlflow.MlflowClient().get_metric_history(run_id, "system/cpu_utilization_percentage")
    assert [point.step for point in history] == [0, 1]


def test_the_sampling_interval_doubles_up_to_a_limit(run_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def intervals() -> list[float]:
        monitor = LoadMonitor(run_id)
        seconds = []
        for _ in range(6):
            seconds.append(monitor.sampling_interval)
            monitor.publish_metrics({})
        return seconds

    assert intervals() == [1, 2, 4, 8, MAX_INTERVAL_S, MAX_INTERVAL_S]
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "30")
    assert intervals() == [30] * 6


def test_a_store_that_fails_does_not_fail_the_run(
    run_id: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(*args: object, **options: object) -> None:
        raise ConnectionError("no route")

    with system_metrics(run_id):
        monkeypatch.setattr(mlflow.MlflowClient, "log_batch", failing)
    assert "did not take the last system metrics: no route" in caplog.text
