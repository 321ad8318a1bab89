"""Jobs for the sharded dataset's tests, importable by worker processes."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pyarrow as pa

from tests.fakes import MemoryShard


def numbers(start: int, count: int, log: str = "") -> pa.Table:
    """A table of `count` integers; each call leaves a line in the file `log`."""
    if log:
        with Path(log).open("a") as stream:
            stream.write(f"{start}\n")
    return pa.table({"number": list(range(start, start + count))}).replace_schema_metadata({"start": str(start)})


def slow_numbers(start: int, seconds: float, log: str) -> pa.Table:
    time.sleep(seconds)
    return numbers(start, 10, log)


def failing(message: str) -> pa.Table:
    raise ValueError(message)


def crashing() -> pa.Table:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("not reached")


def doubled(shard: MemoryShard) -> pa.Table:
    return pa.table({"number": [2 * number for number in shard()["number"].to_pylist()]})
