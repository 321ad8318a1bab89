"""Live curves: metrics of a running computation to the tracking server, without the computation waiting for it."""

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
"""The most that MLflow takes in one request."""


class Curves:
    """Gathers points, and sends them every two seconds from one thread of its own.

    One request costs tens of milliseconds, and minutes where a server does not answer, so no step of a training sends
    one. MLflow's asynchronous logging drops what a request failed to bring, and writes from several threads, which
    SQLite refuses; here points wait until a later request brings them.
    """

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._client = MlflowClient()
        self._waiting: list[Metric] = []
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._troubled = False
        # A daemon, as other threads are waited for before `atexit` may close this one.
        self._thread = threading.Thread(target=self._run, name="curves", daemon=True)
        self._thread.start()

    def add(self, metrics: Mapping[str, float], step: int) -> None:
        """Take one point of each of `metrics` at `step`."""
        now_ms = time.time_ns() // 1_000_000
        points = [Metric(name, float(value), now_ms, step) for name, value in metrics.items()]
        with self._lock:
            self._waiting += points

    def close(self) -> None:
        """Send what is left; what cannot be sent is lost, with a line in the log."""
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
            except Exception as error:  # whatever a tracking store raises, the computation goes on
                if not self._troubled:
                    logger.warning("the tracking server takes no metrics at present, they wait: %s", error)
                self._troubled = True
                return
            self._troubled = False
            with self._lock:
                del self._waiting[: len(points)]


@contextmanager
def live_curves(run_id: str) -> Iterator[None]:
    """Have all that `metric_callbacks.emit` tells in the block logged in an MLflow run."""
    curves = Curves(run_id)
    try:
        with metric_callbacks.listening(curves.add):
            yield
    finally:
        curves.close()
