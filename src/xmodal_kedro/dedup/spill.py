"""Rows that do not fit in memory, in temporary files by partition."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

PARTITIONS = 256
BUFFER_BYTES = 8_000_000
"""Rows are sorted into their partitions when so many bytes of them are there: a file is written in parts of some 30
kB."""
READ_BYTES = 4_000_000
SORT_FACTOR = 7
"""Sorting a partition and pairing its rows takes at most so many times the memory of its rows."""


class Spill:
    """Rows of one structured type in `PARTITIONS` temporary files, each in the order in which they were added."""

    def __init__(self, folder: Path, name: str, dtype: np.dtype[Any]) -> None:
        """Begin without rows.

        Args:
            folder: a folder for the files, named after `name`.
        """
        self._paths = [folder / f"{name}-{partition}" for partition in range(PARTITIONS)]
        self._dtype = dtype
        self._rows_of = np.zeros(PARTITIONS, np.int64)
        self._waiting: list[tuple[NDArray[Any], NDArray[np.uint8]]] = []
        self._waiting_bytes = 0

    def add(self, rows: NDArray[Any], partition: NDArray[np.uint8]) -> None:
        """Add rows, each to its partition."""
        self._waiting.append((rows, partition))
        self._waiting_bytes += rows.nbytes
        if self._waiting_bytes >= BUFFER_BYTES:
            self._write()

    def rows(self, partition: int, memory_bytes: int, split_by: str) -> Iterator[NDArray[Any]]:
        """The rows of a partition, at once, or in parts where sorting it would take more than so much memory.

        Rows with one value in the field `split_by`, an unsigned integer, are in one part. They are in the order in
        which they were added.
        """
        self._write()
        needed = int(self._rows_of[partition]) * self._dtype.itemsize * SORT_FACTOR
        parts = -(-needed // memory_bytes)
        for part in range(parts):
            chunks = self._chunks(partition)
            yield np.concatenate([rows[(rows[split_by] & 0xFFFF) % parts == part] for rows in chunks])

    def discard(self, partition: int) -> None:
        """Delete a partition's file."""
        self._paths[partition].unlink(missing_ok=True)

    def _write(self) -> None:
        if not self._waiting:
            return
        rows = np.concatenate([rows for rows, _ in self._waiting])
        partition = np.concatenate([partition for _, partition in self._waiting])
        self._waiting, self._waiting_bytes = [], 0
        rows = rows[np.argsort(partition, kind="stable")]
        counts = np.bincount(partition, minlength=PARTITIONS)
        ends = np.cumsum(counts)
        for at in np.flatnonzero(counts):
            with self._paths[at].open("ab") as file:
                file.write(rows[ends[at] - counts[at] : ends[at]].tobytes())
        self._rows_of += counts

    def _chunks(self, partition: int) -> Iterator[NDArray[Any]]:
        with self._paths[partition].open("rb") as file:
            while content := file.read(READ_BYTES // self._dtype.itemsize * self._dtype.itemsize):
                yield np.frombuffer(content, self._dtype)
