"""Runs jobs: with joblib on this machine's cores or in threads, or on a Dask cluster."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import joblib
from joblib.externals.loky import ProcessPoolExecutor, process_executor
from threadpoolctl import threadpool_limits

from xmodal_kedro.datasets.attempts import WORKER_DIED, Attempt, Task, attempt, run_within
from xmodal_kedro.datasets.cluster import run_on_cluster
from xmodal_kedro.errors import UserError
from xmodal_kedro.progress import ProgressBar, refreshed
from xmodal_kedro.storage import storage_limits
from xmodal_kedro.wording import counted

logger = logging.getLogger(__name__)

MAX_FAILURES_SHOWN = 10
ADDRESS_VARIABLE = "DASK_SCHEDULER_ADDRESS"
"""The environment variable that Dask itself reads."""
MAX_ORPHAN_S = 0.2
"""Max time that a worker outlives a killed driver, seconds: its writes could collide with those of the next run."""
MAX_GROWTH_BYTES = int(4e9)
"""Max memory that a worker gains after its first job; loky replaces one that gains more. Its own limit of 300 MB is
less than PyTorch takes: a worker that loads it would be thrown away with all that it has loaded, and a warning."""


@dataclass(frozen=True)
class Engine:
    """Where jobs run.

    Attributes:
        backend: `loky` (processes of this machine), `threading`, `dask`, or `auto`: `dask` if the address of a
            scheduler is known, else `loky`.
        workers: number of parallel jobs; -1 means one per core. A running Dask cluster decides by itself.
        scheduler: address of the Dask scheduler, such as `tcp://host:8786`; if empty, the value of the environment
            variable DASK_SCHEDULER_ADDRESS. `dask` without an address starts a cluster on this machine.
        resources: what a job takes of a Dask worker's resources, such as `{"GPU": 1}`: only workers that declare them
            get it. Other backends ignore them.
    """

    backend: Literal["auto", "loky", "threading", "dask"] = "auto"
    workers: int = -1
    scheduler: str = ""
    resources: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.backend not in ("auto", "loky", "threading", "dask"):
            raise UserError(f"engine.backend is {self.backend!r}: set auto, loky, threading or dask in globals.yml")
        if self.workers == 0:
            raise UserError("engine.workers is 0: set a number of workers, or -1 for one a core, in globals.yml")

    @property
    def address(self) -> str:
        """Address of the scheduler, from the configuration or else the environment; empty if neither has one."""
        return self.scheduler or os.environ.get(ADDRESS_VARIABLE, "")

    @property
    def runs_on(self) -> str:
        """The backend, with `auto` resolved."""
        return self.backend if self.backend != "auto" else "dask" if self.address else "loky"


def describe_failures(failures: Mapping[str, str]) -> str:
    """One line for each of the first failed tasks, and the number of the others."""
    shown = [f"  {key}: {failure}" for key, failure in list(failures.items())[:MAX_FAILURES_SHOWN]]
    more = len(failures) - len(shown)
    return "\n".join([*shown, *([f"  and {more} more"] if more else [])])


def run_all(tasks: Mapping[str, Task], engine: Engine, description: str) -> dict[str, str]:
    """Run every task, even if others fail, behind a progress bar.

    A task that raises fails alone. A task that kills its worker process fails alone too: the remaining tasks then run
    in a separate process each.

    Returns:
        One line for each failed task, by key, ascending.
    """
    failures: dict[str, str] = {}
    left: dict[str, Task] = {key: partial(run_within, storage_limits(), task) for key, task in tasks.items()}
    with ProgressBar(total=len(tasks), desc=description, unit="shards") as bar, refreshed(bar):

        def finished(done: Attempt) -> None:
            del left[done.key]
            if done.failure:
                failures[done.key] = done.failure
                logger.warning("%s: %s failed: %s", description, done.key, done.traceback or done.failure)
            bar.update()

        try:
            for done in _run_pooled(left, engine, description):
                finished(done)
        except BrokenProcessPool:
            what = counted(len(left), "job that is left runs", "jobs that are left run")
            logger.warning("%s: a worker process died; the %s isolated", description, what)
            for done in _run_isolated(left, engine):
                finished(done)
    return dict(sorted(failures.items()))


def _run_pooled(tasks: Mapping[str, Task], engine: Engine, description: str) -> Iterator[Attempt]:
    if engine.runs_on == "dask":
        workers = joblib.effective_n_jobs(engine.workers)
        yield from run_on_cluster(tasks, engine.address, workers, engine.resources, description)
        return
    options = _bound_to_driver() if engine.runs_on == "loky" else {}
    run: Callable[[str, Task], Attempt] = attempt
    at_once = min(joblib.effective_n_jobs(engine.workers), len(tasks))
    if engine.runs_on == "threading" and at_once > 1:
        run = partial(_attempt_in_threads, max(1, _openmp_threads() // at_once))
    with joblib.parallel_config(engine.runs_on, n_jobs=engine.workers, **options):
        calls = [joblib.delayed(run)(key, task) for key, task in tasks.items()]
        yield from joblib.Parallel(return_as="generator_unordered")(calls)


def _openmp_threads() -> int:
    """Threads of a computation in this thread: as the user set them, but not more than there are cores."""
    torch = sys.modules.get("torch")
    return min(joblib.cpu_count(), torch.get_num_threads() if torch else joblib.cpu_count())


def _attempt_in_threads(threads: int, key: str, task: Task) -> Attempt:
    """With so many threads of OpenMP, the share of one of several jobs. Processes get their share from loky."""
    _openmp_threads()  # torch sets its number in each thread that first asks for it, and would do so after the limit
    # OpenMP counts threads for each of its callers; OpenBLAS has one count for all, which jobs would restore wrongly.
    with threadpool_limits(threads, user_api="openmp"):
        return attempt(key, task)


def _run_isolated(tasks: Mapping[str, Task], engine: Engine) -> Iterator[Attempt]:
    lanes = joblib.effective_n_jobs(engine.workers)
    with ThreadPoolExecutor(lanes) as threads:
        waiting = [threads.submit(_attempt_alone, key, task) for key, task in tasks.items()]
        for done in as_completed(waiting):
            yield done.result()


def _attempt_alone(key: str, task: Task) -> Attempt:
    with ProcessPoolExecutor(max_workers=1, **_bound_to_driver()) as executor:
        try:
            return executor.submit(attempt, key, task).result()
        except BrokenProcessPool:
            return Attempt(key, WORKER_DIED)


def _bound_to_driver() -> dict[str, Any]:
    """Options of a process pool whose workers end with this process, even if it is killed."""
    return {"initializer": _begin_worker, "initargs": (os.getpid(),)}


def _begin_worker(driver: int) -> None:
    process_executor._MAX_MEMORY_LEAK_SIZE = MAX_GROWTH_BYTES

    def watch() -> None:
        while os.getppid() == driver:
            time.sleep(MAX_ORPHAN_S)
        os._exit(1)

    threading.Thread(target=watch, name="end-with-driver", daemon=True).start()


@contextmanager
def stopwatch() -> Iterator[Callable[[], float]]:
    """Yield a function that returns the seconds since the block was entered."""
    started = time.monotonic()
    yield lambda: time.monotonic() - started
