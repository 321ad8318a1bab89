"""Runs jobs: with joblib on this machine's cores or in threads, or on a Dask cluster."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple

import joblib
from joblib.externals.loky import ProcessPoolExecutor
from tqdm.auto import tqdm

from xmodal_kedro.errors import OF_THE_OUTSIDE, UserError

logger = logging.getLogger(__name__)

Task = Callable[[], None]

WORKER_DIED = "its worker process died (a crash, or out of memory)"
LONGEST_ORPHAN_S = 0.2
"""How long a worker may outlive a driver that was killed: what it would write then could meet the next run's."""


@dataclass(frozen=True)
class Engine:
    """Where jobs run.

    Attributes:
        backend: `loky` (processes of this machine), `threading`, or `dask`.
        workers: how many jobs at a time; -1 means one a core. A Dask cluster decides by itself.
        scheduler: address of the Dask scheduler; empty starts a cluster on this machine.
    """

    backend: Literal["loky", "threading", "dask"] = "loky"
    workers: int = -1
    scheduler: str = ""

    def __post_init__(self) -> None:
        if self.backend not in ("loky", "threading", "dask"):
            raise UserError(f"engine.backend is {self.backend!r}: set loky, threading or dask in globals.yml")
        if self.workers == 0:
            raise UserError("engine.workers is 0: set a number of workers, or -1 for one a core, in globals.yml")


def run_all(tasks: Mapping[str, Task], engine: Engine, description: str) -> dict[str, str]:
    """Run every task, whatever happens to the others, behind a progress bar.

    A task that raises costs itself. A task that takes its worker process down with it is found and costs itself too:
    the tasks left over then run on, each in a process of its own.

    Returns:
        For each task that failed, in order of their keys, one line that says how.
    """
    failures: dict[str, str] = {}
    left = dict(tasks)
    with tqdm(total=len(tasks), desc=description, unit="shard", disable=None, file=sys.stderr) as bar:

        def finished(done: Attempt) -> None:
            del left[done.key]
            if done.failure:
                failures[done.key] = done.failure
                logger.warning("%s: %s failed: %s", description, done.key, done.traceback or done.failure)
            bar.update()

        try:
            for done in _run_pooled(left, engine):
                finished(done)
        except BrokenProcessPool:
            logger.warning("%s: a worker process died; the %d jobs left run isolated", description, len(left))
            for done in _run_isolated(left, engine):
                finished(done)
    return dict(sorted(failures.items()))


class Attempt(NamedTuple):
    """How a task ended: `failure` in one line, with a traceback where the code may be at fault; both empty if well."""

    key: str
    failure: str = ""
    traceback: str = ""


def _attempt(key: str, task: Task) -> Attempt:
    try:
        task()
    except UserError as error:
        return Attempt(key, str(error))
    except OF_THE_OUTSIDE as error:
        return Attempt(key, f"{type(error).__name__}: {error}")
    except Exception as error:  # a job may fail in any way, and must cost only itself
        return Attempt(key, f"{type(error).__name__}: {error}", traceback.format_exc())
    return Attempt(key)


def _run_pooled(tasks: Mapping[str, Task], engine: Engine) -> Iterator[Attempt]:
    if engine.backend == "dask":
        yield from _run_on_dask(tasks, engine)
        return
    options = _bound_to_driver() if engine.backend == "loky" else {}
    with joblib.parallel_config(engine.backend, n_jobs=engine.workers, **options):
        calls = [joblib.delayed(_attempt)(key, task) for key, task in tasks.items()]
        yield from joblib.Parallel(return_as="generator_unordered")(calls)


def _run_on_dask(tasks: Mapping[str, Task], engine: Engine) -> Iterator[Attempt]:
    """Dask's own futures: joblib's backend for Dask waits for ever for a task that kills its workers.

    A scheduler blames all tasks that a dying worker held, so each of these runs once more by itself.
    """
    import dask
    from distributed import Client, KilledWorker, as_completed

    local = {} if engine.scheduler else {"n_workers": joblib.effective_n_jobs(engine.workers), "threads_per_worker": 1}
    suspects = []
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        Client(engine.scheduler or None, **local) as client,
    ):
        futures = {client.submit(_attempt, key, task, pure=False): key for key, task in tasks.items()}
        for future in as_completed(futures):
            try:
                yield future.result()
            except KilledWorker:
                suspects.append(futures[future])
            future.release()
        for key in suspects:
            try:
                yield client.submit(_attempt, key, tasks[key], pure=False).result()
            except KilledWorker:
                yield Attempt(key, WORKER_DIED)


def _run_isolated(tasks: Mapping[str, Task], engine: Engine) -> Iterator[Attempt]:
    lanes = joblib.effective_n_jobs(engine.workers)
    with ThreadPoolExecutor(lanes) as threads:
        waiting = [threads.submit(_attempt_alone, key, task) for key, task in tasks.items()]
        for done in as_completed(waiting):
            yield done.result()


def _attempt_alone(key: str, task: Task) -> Attempt:
    with ProcessPoolExecutor(max_workers=1, **_bound_to_driver()) as executor:
        try:
            return executor.submit(partial(_attempt, key, task)).result()
        except BrokenProcessPool:
            return Attempt(key, WORKER_DIED)


def _bound_to_driver() -> dict[str, Any]:
    """Options of a process pool whose workers end with this process, however it ends."""
    return {"initializer": _end_with, "initargs": (os.getpid(),)}


def _end_with(driver: int) -> None:
    def watch() -> None:
        while os.getppid() == driver:
            time.sleep(LONGEST_ORPHAN_S)
        os._exit(1)

    threading.Thread(target=watch, name="end-with-driver", daemon=True).start()


@contextmanager
def stopwatch() -> Iterator[Callable[[], float]]:
    """Seconds since the block was entered."""
    started = time.monotonic()
    yield lambda: time.monotonic() - started
