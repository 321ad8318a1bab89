"""One try at a job: how it ended, told to whoever handed it out, on whatever machine it ran."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import NamedTuple

from xmodal_kedro.errors import OF_THE_OUTSIDE, UserError

Task = Callable[[], None]

WORKER_DIED = "its worker process died (a crash, or out of memory)"


class Attempt(NamedTuple):
    """How a task ended: `failure` in one line, with a traceback where the code may be at fault; both empty if well."""

    key: str
    failure: str = ""
    traceback: str = ""


def attempt(key: str, task: Task) -> Attempt:
    """Run a task, and catch whatever it raises."""
    try:
        task()
    except UserError as error:
        return Attempt(key, str(error))
    except OF_THE_OUTSIDE as error:
        return Attempt(key, f"{type(error).__name__}: {error}")
    except Exception as error:  # a job may fail in any way, and must cost only itself
        return Attempt(key, f"{type(error).__name__}: {error}", traceback.format_exc())
    return Attempt(key)
