"""Jobs for the sharded dataset's tests, importable by worker processes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from tests.fakes import MemoryShard
from xmodal_kedro.errors import MachineError
from xmodal_kedro.recipes import recipe
from xmodal_kedro.schemas import LABELS_ARROW


@recipe("numbers of jobs", version=1)
def numbers(start: int, count: int, log: str = "") -> pa.Table:
    """A table of `count` integers; each call appends a line to the file `log`."""
    if log:
        with Path(log).open("a") as stream:
            stream.write(f"{start}\n")
    return pa.table({"number": list(range(start, start + count))}).replace_schema_metadata({"start": str(start)})


@recipe("slow_numbers of jobs", version=1)
def slow_numbers(start: int, seconds: float, log: str) -> pa.Table:
    time.sleep(seconds)
    return numbers(start, 10, log)


@recipe("failing of jobs", version=1)
def failing(message: str) -> pa.Table:
    raise ValueError(message)


@recipe("without room of jobs", version=1)
def without_room(message: str) -> pa.Table:
    raise MachineError(message)


@recipe("crashing of jobs", version=1)
def crashing() -> pa.Table:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("not reached")


@recipe("doubled of jobs", version=1)
def doubled(shard: MemoryShard) -> pa.Table:
    return pa.table({"number": [2 * number for number in shard()["number"].to_pylist()]})


@recipe("mixed of jobs", version=1)
def mixed(count: int) -> pa.Table:
    """A table with columns of all stored types."""
    numbers = range(count)
    return pa.table(
        {
            "name": [f"row {number}" for number in numbers],
            "sound": [bytes([number % 251]) * (number % 7) * 1000 for number in numbers],
            "pictures": [[b"jpeg" * number] * (number % 3) for number in numbers],
            "times_s": [[number / 3] * (number % 3) for number in numbers],
        }
    )


@recipe("in_pieces of jobs", version=1)
def in_pieces(rows: int, lengths: Sequence[int], **metadata: str) -> Iterator[pa.Table]:
    """`mixed` rows in tables of the given lengths and one of the rest, the last of which has the metadata."""
    table = mixed(rows)
    for length in lengths:
        yield table.slice(0, length)
        table = table.slice(length)
    yield table.replace_schema_metadata(metadata)


@recipe("told_twice of jobs", version=1)
def told_twice() -> Iterator[pa.Table]:
    """Two tables whose metadata differs."""
    yield numbers(1, 1).replace_schema_metadata({"counted": "early", "first": "1"})
    yield numbers(2, 1).replace_schema_metadata({"counted": "late"})


@recipe("nothing of jobs", version=1)
def nothing() -> Iterator[pa.Table]:
    return iter(())


@recipe("of_two_kinds of jobs", version=1)
def of_two_kinds() -> Iterator[pa.Table]:
    yield numbers(1, 1)
    yield mixed(1)


@recipe("broken_off of jobs", version=1)
def broken_off(error: str) -> Iterator[pa.Table]:
    yield numbers(1, 1)
    raise {"OSError": OSError, "ValueError": ValueError}[error]("the source went away")


@recipe("megabytes of jobs", version=1)
def megabytes(count: int) -> Iterator[pa.Table]:
    """So many tables of eight rows, together one megabyte."""
    for number in range(count):
        yield pa.table({"sound": [bytes([number % 251]) * 125_000] * 8})


@recipe("fetched of jobs", version=1)
def fetched(flag: str, count: int = 5) -> Iterator[pa.Table]:
    """Rows that exist once the file `flag` does; provisional before."""
    if Path(flag).exists():
        yield numbers(0, count)
    else:
        yield numbers(0, 0).replace_schema_metadata({"provisional": "1 unreadable"})


@recipe("clip_rows of jobs", version=1)
def clip_rows(*names: str) -> Iterator[pa.Table]:
    """A table of label rows for each name."""
    for name in names:
        yield pa.Table.from_pylist(
            [{"clip_id": name, "video_id": "v", "split": "train", "targets": [0], "weights": [1.0]}],
            schema=LABELS_ARROW,
        )
