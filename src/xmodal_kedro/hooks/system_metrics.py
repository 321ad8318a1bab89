"""Logs the load of processor, memory, disk, network and GPUs during a run."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from mlflow.environment_variables import MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL
from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

logger = logging.getLogger(__name__)

FIRST_INTERVAL_S = 1.0
MAX_INTERVAL_S = 10.0


class LoadMonitor(SystemMetricsMonitor):
    """MLflow's monitor, changed so that short runs are logged too.

    MLflow samples every ten seconds and drops the last sample, so a shorter run shows nothing. This monitor starts with
    an interval of a second, doubles it up to ten, and logs the last sample too. The variable
    `MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL` sets a constant interval instead. GPUs are all those of the machine,
    whichever process uses them.
    """

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id, sampling_interval=FIRST_INTERVAL_S, resume_logging=True)

    def publish_metrics(self, metrics: dict[str, float]) -> None:
        super().publish_metrics(metrics)
        if not MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL.is_set():
            self.sampling_interval = min(2 * self.sampling_interval, MAX_INTERVAL_S)

    def finish(self) -> None:
        super().finish()
        try:
            self.publish_metrics(self.aggregate_metrics())
            self.mlflow_logger.flush()
        except Exception as error:  # tracking stores raise many types; none may change how the run ends
            logger.warning("the tracking server did not take the last system metrics: %s", error)


@contextmanager
def system_metrics(run_id: str) -> Iterator[None]:
    """Log the load of this machine during the block to an MLflow run."""
    monitor = LoadMonitor(run_id)
    monitor.start()
    try:
        yield
    finally:
        monitor.finish()
