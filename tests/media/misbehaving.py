"""Generator functions that affect their process as hostile files affect a decoder."""

from __future__ import annotations

import ctypes
import hashlib
import importlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from xmodal_kedro.reasons import MediaError


class UnpicklableError(Exception):
    """An exception that can be pickled, but not unpickled."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} {second}")


def count(stop: int) -> Iterator[int]:
    yield from range(stop)


def process_id() -> Iterator[int]:
    yield os.getpid()


def blobs(number: int, size: int) -> Iterator[bytes]:
    for _ in range(number):
        yield bytes(size)


def segfault_after(items: int) -> Iterator[int]:
    yield from range(items)
    segfault()


def segfault_the_first_time(marker: Path, stop: int, at: int) -> Iterator[int]:
    """Count to `stop`; the first time, crash before `at`."""
    for number in range(stop):
        if number == at and not marker.exists():
            marker.touch()
            segfault()
        yield number


def segfault() -> NoReturn:
    ctypes.string_at(0)
    raise AssertionError("reading address 0 did not crash")


def signal_itself(number: int, marker: Path | None = None) -> Iterator[int]:
    """Send a signal to the own process, noting each time in `marker`."""
    if marker:
        with marker.open("a") as notes:
            notes.write("once\n")
    os.kill(os.getpid(), number)
    time.sleep(0.2)
    yield os.getpid()


def exit_with(code: int) -> Iterator[int]:
    os._exit(code)
    yield 0


def sleep_for_ever() -> Iterator[int]:
    yield os.getpid()
    time.sleep(1e6)


def loop_for_ever() -> Iterator[int]:
    yield os.getpid()
    while True:
        pass


def compute_for_ever() -> Iterator[int]:
    """Busy in C code that releases Python's lock, as codecs are."""
    yield os.getpid()
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2_000_000_000)


def allocate(size: int) -> Iterator[int]:
    yield len(bytearray(size))


def fail(kind: str) -> Iterator[object]:
    yield kind
    if kind == "media":
        raise MediaError("no_audio", "there is no audio stream")
    if kind == "value":
        raise ValueError("a value is wrong")
    if kind == "unpicklable":
        raise UnpicklableError("one", "two")
    if kind == "exit":
        sys.exit(3)
    if kind == "item":
        yield lambda: None


def print_from_c() -> Iterator[int]:
    for descriptor in (1, 2):
        os.write(descriptor, b"noise")
    yield 0


def close_slowly(seconds: float) -> Iterator[int]:
    try:
        yield os.getpid()
        yield os.getpid()
    finally:
        time.sleep(seconds)


def modules_after_importing(module: str) -> Iterator[set[str]]:
    importlib.import_module(module)
    yield set(sys.modules)


def crash_on(path: str, params: object) -> Iterator[int]:
    yield from segfault_after(0)


def hang_on(path: str, params: object) -> Iterator[int]:
    time.sleep(1e6)
    yield 0


def fail_on(path: str, params: object) -> Iterator[int]:
    raise ValueError("a value is wrong")
    yield 0


def be_interrupted_on(path: str, params: object) -> Iterator[int]:
    yield from signal_itself(signal.SIGTERM)
