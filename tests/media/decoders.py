"""The decoder process of this thread, observed from outside."""

from __future__ import annotations

import time

import psutil
import pytest

from tests.media import misbehaving
from xmodal_kedro.media.sandbox.isolation import isolated
from xmodal_kedro.reasons import MediaError

LIMIT_S = 20.0


def decoder_pid() -> int:
    return next(isolated(misbehaving.process_id, timeout_s=LIMIT_S))


def gone(pid: int, within_s: float = 5.0) -> bool:
    """Whether a process ends within some seconds."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


def reason_of(function, *args, timeout_s: float = LIMIT_S) -> tuple[str, str]:
    with pytest.raises(MediaError) as error:
        list(isolated(function, *args, timeout_s=timeout_s))
    return error.value.reason, error.value.detail
