"""Runs tasks on a Dask cluster: that of a scheduler's address, or a local one on this machine's cores."""

from __future__ import annotations

import hashlib
import importlib.metadata
import logging
import platform
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from xmodal_kedro.datasets.attempts import WORKER_DIED, Attempt, Task, attempt
from xmodal_kedro.datasets.errors import DataError

if TYPE_CHECKING:
    from distributed import Client, Future

logger = logging.getLogger(__name__)

PACKAGES = ("av", "distributed", "numpy", "opencv-python", "pandas", "pyarrow", "torch")
"""Packages, beside this project, on which a shard's bytes depend, or whether a worker can unpickle a job."""
CODE = "the code of xmodal_kedro"
MAX_WORKERS_SHOWN = 5


def run_on_cluster(
    tasks: Mapping[str, Task], address: str, workers: int, resources: Mapping[str, float], description: str
) -> Iterator[Attempt]:
    """Run every task, in any order, and yield the outcome of each.

    Dask's own futures are used, as joblib's backend for Dask waits forever for a task that kills its workers. A
    scheduler reports all tasks of a dying worker as failed, so each of them is run once more by itself.

    Args:
        tasks: tasks by key.
        address: address of the scheduler; if empty, one is started with workers on this machine.
        workers: number of workers to start.
        resources: what a task takes of a worker's resources, if there is an address.
        description: what the tasks make, for the dashboard.

    Raises:
        DataError: if the scheduler cannot be reached or is lost, or a worker has other versions.
    """
    from distributed import CancelledError, KilledWorker, as_completed

    wanted = environment()
    with _connected(address, workers) as client:
        if address:
            _check_workers(client, wanted, resources)

        def submit(key: str) -> Future:
            name = f"{description}-{key}-{uuid.uuid4().hex}"
            taken = dict(resources) if address else None
            return client.submit(partial(_run, wanted, key, tasks[key]), key=name, pure=False, resources=taken)

        candidates = []
        try:
            futures = {submit(key): key for key in tasks}
            for future in as_completed(futures):
                try:
                    yield _outcome(futures[future], future)
                except KilledWorker:
                    candidates.append(futures[future])
                future.release()
            for key in candidates:
                logger.warning("%s: workers that held %s died: it runs once more by itself", description, key)
                try:
                    yield _outcome(key, submit(key))
                except KilledWorker as killed:
                    yield Attempt(key, f"{WORKER_DIED}, the last one at {killed.last_worker.address}")
        except CancelledError as lost:
            raise DataError(
                f"the Dask scheduler {address} was lost: finished shards are kept; start it and its workers again, "
                "and run again"
            ) from lost


@contextmanager
def _connected(address: str, workers: int) -> Iterator[Client]:
    import dask
    from distributed import Client

    local = {} if address else {"n_workers": workers, "threads_per_worker": 1}
    # Our own scheduler retries nothing: the second run by itself shows which task kills its worker.
    with dask.config.set({"distributed.scheduler.allowed-failures": 0}):
        try:
            client = Client(address or None, **local)
        except OSError as error:
            raise DataError(
                f"no Dask scheduler answers at {address} ({error}): start it with `dask scheduler`, or correct "
                "engine.scheduler in globals.yml or DASK_SCHEDULER_ADDRESS"
            ) from error
        with client:
            yield client


def _outcome(key: str, future: Future) -> Attempt:
    from distributed import CancelledError, KilledWorker

    try:
        return Attempt(*future.result())
    except (CancelledError, KilledWorker):
        raise
    except Exception as error:  # an attempt does not raise: the worker could not receive it, or not return its result
        return Attempt(key, f"its worker could not run it ({type(error).__name__}: {error})")


def _run(wanted: Mapping[str, str], key: str, task: Task) -> Attempt:
    """Run a task in a worker, which may have joined after the others were checked."""
    found = environment()
    if found != wanted:
        return Attempt(key, f"worker {platform.node()} has {_describe(wanted, found)}")
    return attempt(key, task)


@cache
def environment() -> dict[str, str]:
    """Versions that must be equal in all processes: of Python, of packages, and a hash of this project's code."""
    package = Path(__file__).parents[1]
    code = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        code.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    versions = {name: _version(name) for name in PACKAGES}
    return {"python": platform.python_version(), **versions, CODE: code.hexdigest()[:12]}


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name).partition("+")[0]  # builds for CPU and CUDA have one version
    except importlib.metadata.PackageNotFoundError:
        return "none"


def _describe(wanted: Mapping[str, str], found: Mapping[str, str]) -> str:
    return ", ".join(
        f"{name} {found.get(name)} in place of {has}" for name, has in wanted.items() if has != found[name]
    )


def _check_workers(client: Client, wanted: Mapping[str, str], resources: Mapping[str, float]) -> None:
    """Check the present workers. Others may join later.

    Raises:
        DataError: naming workers and versions, if versions differ.
    """
    wrong = {}
    for worker, found in client.run(environment, on_error="return").items():
        if isinstance(found, Exception):
            wrong[worker] = f"no xmodal_kedro that can be used ({type(found).__name__}: {found})"
        elif found != wanted:
            wrong[worker] = _describe(wanted, found)
    if wrong:
        shown = [f"  {worker} has {what}" for worker, what in sorted(wrong.items())[:MAX_WORKERS_SHOWN]]
        more = [f"  and {len(wrong) - len(shown)} more"] if len(wrong) > len(shown) else []
        head = f"{len(wrong)} Dask workers do not have what this machine has; install the same there:"
        raise DataError("\n".join([head, *shown, *more]))
    known = client.scheduler_info(n_workers=-1)["workers"].values()
    fit = [worker for worker in known if all(worker["resources"].get(name, 0) >= n for name, n in resources.items())]
    if not fit:
        needed = " ".join(f"{name}={n:g}" for name, n in resources.items())
        option = f" with --resources {needed!r}" if resources else ""
        logger.warning("no Dask worker%s has joined yet: jobs wait for one", option)
