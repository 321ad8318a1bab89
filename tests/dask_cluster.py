"""A real Dask cluster for tests: scheduler and workers are separate processes, started by Dask's commands."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.project import PROJECT

MAX_START_S = 120.0
QUICK_DEATHS = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"}
"""A job fails after one worker died of it instead of four, as each restart of a worker takes seconds."""


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Poll the condition for at most two minutes."""
    deadline = time.monotonic() + MAX_START_S
    while not condition():
        assert time.monotonic() < deadline, f"waited {MAX_START_S:g} s without success: {what}"
        time.sleep(0.02)


class Cluster:
    """Processes that end with the test.

    Args:
        folder: for logs and files of workers. It is their working directory, instead of the project.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._programs: list[subprocess.Popen[bytes]] = []
        self._scheduler_file = folder / "scheduler.json"

    def start_scheduler(self) -> str:
        """Start `dask scheduler`; returns its address."""
        self.scheduler = self._start(
            "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", *self._scheduler_option()
        )
        wait_until(self._has_address, "a scheduler")
        return self.address

    def start_workers(self, *options: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start `dask worker` with one thread for each worker; returns the process that supervises the workers."""
        where = ["--nthreads", "1", "--no-dashboard", "--local-directory", str(self.folder), *self._scheduler_option()]
        return self._start("worker", *where, *options, environment=environment)

    def stop(self) -> None:
        """End all processes that still run."""
        for program in reversed(self._programs):
            if program.poll() is None:
                os.killpg(program.pid, signal.SIGTERM)
        for program in self._programs:
            try:
                program.wait(timeout=10)
            except subprocess.TimeoutExpired:
                os.killpg(program.pid, signal.SIGKILL)
                program.wait()

    def _has_address(self) -> bool:
        """Whether the scheduler's file is complete: it may be read while it is written."""
        with suppress(FileNotFoundError, json.JSONDecodeError):
            self.address = str(json.loads(self._scheduler_file.read_text())["address"])
            return True
        return False

    def _scheduler_option(self) -> tuple[str, str]:
        return "--scheduler-file", str(self._scheduler_file)

    def _start(self, *command: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        # Workers import jobs from test modules; a PYTHONPATH in `environment` replaces this path.
        path = os.pathsep.join(filter(None, [str(PROJECT / "src"), str(PROJECT), os.environ.get("PYTHONPATH", "")]))
        with (self.folder / f"{command[0]}-{len(self._programs)}.log").open("wb") as log:
            program = subprocess.Popen(
                [str(Path(sys.executable).parent / "dask"), *command],
                cwd=self.folder,
                env=os.environ | QUICK_DEATHS | {"PYTHONPATH": path} | dict(environment or {}),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._programs.append(program)
        return program


@contextmanager
def running(folder: Path) -> Iterator[Cluster]:
    """A cluster that is stopped when the block ends."""
    cluster = Cluster(folder)
    try:
        yield cluster
    finally:
        cluster.stop()
