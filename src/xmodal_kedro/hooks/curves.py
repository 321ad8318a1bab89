"""Live curves: sends metrics of a running computation to the tracking server without blocking the computation."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from mlflow.entities import Metric
from mlflow.tracking import MlflowClient

from xmodal_kedro import metric_callbacks

logger = logging.getLogger(__name__)

SEND_EVERY_S = 2.0
POINTS_AT_A_TIME = 1_000
"""Maximum of MLflow for one request."""


class Curves:
    """Collects points, and sends them every two seconds from its own thread.

    A request takes tens of milliseconds, or minutes if a server does not answer, so training steps send none. MLflow's
    asynchronous logging drops the points of failed requests and writes from several threads, which SQLite refuses.
    Here points are kept until a request succeeds.
    """

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._client = MlflowClient()
        self._waiting: list[Metric] = []
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._failing = False
        # A daemon, as Python joins other threads before `atexit` callbacks could close this one.
        self._thread = threading.Thread(target=self._run, name="curves", daemon=True)
        self._thread.start()

    def add(self, metrics: Mapping[str, float], step: int) -> None:
        """Add one point for each of `metrics` at `step`."""
        now_ms = time.time_ns() // 1_000_000
        points = [Metric(name, float(value), now_ms, step) for name, value in metrics.items()]
        with self._lock:
            self._waiting += points

    def close(self) -> None:
        """Send the remaining points; points that cannot be sent are lost, and the log says so."""
        self._closed.set()
        self._thread.join()
        self._send()
        if self._waiting:
            logger.error("the tracking server did not take the last %d points of the curves", len(self._waiting))

    def _run(self) -> None:
        while not self._closed.wait(SEND_EVERY_S):
            self._send()

    def _send(self) -> None:
        while points := self._waiting[:POINTS_AT_A_TIME]:
            try:
                self._client.log_batch(self._run_id, metrics=points)
            except Exception as error:  # tracking stores raise many types; none may stop the computation
                if not self._failing:
                    logger.warning("the tracking server takes no metrics at present, they wait: %s", error)
                self._failing = True
                return
            self._failing = False
            with self._lock:
                del self._waiting[: len(points)]


@contextmanager
def live_curves(run_id: str) -> Iterator[None]:
    """Log all metrics that `metric_callbacks.emit` reports in the block to an MLflow run."""
    curves = Curves(run_id)
    try:
        with metric_callbacks.listening(curves.add):
            yield
    finally:
        curves.close()
