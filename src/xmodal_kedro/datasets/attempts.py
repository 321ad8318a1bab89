"""One attempt at a job, and its outcome as a value that any process or machine can return."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import NamedTuple

from xmodal_kedro.errors import (
    OF_THE_OUTSIDE,
    MachineError,
    UserError,
    describe_fault,
    fault_of_machine,
    fault_of_storage,
)
from xmodal_kedro.masking import mask_logs, masked, remember_environment
from xmodal_kedro.storage import Limits, limit_storage

Task = Callable[[], None]

WORKER_DIED = "its worker process died (a crash, or out of memory)"


class Attempt(NamedTuple):
    """Outcome of a task: `failure` in one line, with a traceback if it may be a bug; both are empty on success."""

    key: str
    failure: str = ""
    traceback: str = ""


def attempt(key: str, task: Task) -> Attempt:
    """Run a task, and catch every exception."""
    mask_logs()  # of this worker
    remember_environment()
    try:
        task()
    except (UserError, MachineError) as error:
        return Attempt(key, masked(str(error)))
    except OF_THE_OUTSIDE as error:
        return Attempt(key, masked(f"{type(error).__name__}: {error}"))
    except Exception as error:  # a job may raise any error, which must not affect others
        if fault := fault_of_machine(error):
            return Attempt(key, masked(describe_fault(error, fault)))
        if said := fault_of_storage(error):
            return Attempt(key, masked(said))
        return Attempt(key, masked(f"{type(error).__name__}: {error}"), masked(traceback.format_exc()))
    return Attempt(key)


def run_within(limits: Limits, task: Task) -> None:
    """Run a task that is as patient with storage as the process that sent it."""
    limit_storage(limits)
    task()
