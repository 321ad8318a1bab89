"""Brings about a fault in a run of a copy of the project: this file is copied into its package, and called from there.

`fault.json` beside the copy's `src` says which; without it nothing happens. The first write of a run is the moment.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
PLAN = PROJECT / "fault.json"
DRIVER = PROJECT / "driver.pid"
NOW = PROJECT / "fault.now"
"""Exists from the first write on."""
ONCE = PROJECT / "fault.once"
NOTES = (".runs", "unfinished_run.json", ".partial-unfinished")
"""What a run writes of itself, before it makes anything."""
MAX_BALLAST_BYTES = 1 << 40


def driver_begins() -> None:
    """Called where Kedro's settings are loaded, which no worker does: note the driver, and kill it if so planned."""
    DRIVER.write_text(str(os.getpid()))
    if _plan().get("kind") == "driver":
        threading.Thread(target=_die_at_first_write, daemon=True).start()


def decoder_begins() -> None:
    """Called where a decoder process begins."""
    if _plan().get("kind") == "start" and _first():
        os.kill(os.getpid(), signal.SIGKILL)


def decoder_works() -> None:
    """Called where a decoder process has the first of what it finds in a file."""
    if _plan().get("kind") == "decoder" and _first():
        os.kill(os.getpid(), signal.SIGKILL)


def with_fault(whole_file: Callable[..., Any]) -> Callable[..., Any]:
    """The context manager by which everything is written, with the fault at its beginning."""

    @contextmanager
    def faulty(fs: Any, path: str) -> Iterator[str]:
        if not any(note in path for note in NOTES):
            _write_begins()
        with whole_file(fs, path) as partial:
            yield partial

    return faulty


def _write_begins() -> None:
    plan = _plan()
    if not plan:
        return
    NOW.touch()
    is_worker = DRIVER.exists() and DRIVER.read_text() != str(os.getpid())
    if plan["kind"] == "driver":
        time.sleep(5)  # until this process is killed, or ends with the driver that is
    elif plan["kind"] == "worker" and is_worker and _first():
        os.kill(os.getpid(), signal.SIGKILL)
    elif plan["kind"] == "full" and _first():
        fill(Path(plan["disk"]))


def fill(disk: Path, free: int = 0) -> None:
    """Leave no room on a small disk, or so many bytes."""
    with (disk / "ballast").open("ab", buffering=0) as ballast, suppress(OSError):
        for size in (1 << 20, 1 << 12):
            with suppress(OSError):
                for _ in range(MAX_BALLAST_BYTES // size):
                    ballast.write(bytes(size))
        ballast.truncate(ballast.tell() - free)


def _die_at_first_write() -> None:
    while not NOW.exists():
        time.sleep(0.005)
    os.kill(os.getpid(), signal.SIGKILL)


def _plan() -> dict[str, Any]:
    try:
        return dict(json.loads(PLAN.read_text()))
    except (FileNotFoundError, ValueError):
        return {}


def _first() -> bool:
    """Whether no process came here before."""
    try:
        ONCE.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
