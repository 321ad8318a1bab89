"""Rows come back as they were added, whatever fits in memory."""

from __future__ import annotations

import errno
import resource
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xmodal_kedro.dedup import spill
from xmodal_kedro.dedup.spill import PARTITIONS, Spill

ROW = np.dtype([("key", "<u4"), ("number", "<i8")])


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, PARTITIONS - 1)), max_size=20), max_size=6),
    st.integers(1, 400),
    st.integers(1, 400),
)
def test_each_row_comes_back_once_in_order_and_a_key_in_one_part(
    batches: list[list[tuple[int, int]]], buffer_bytes: int, memory_bytes: int
) -> None:
    expected: dict[int, list[tuple[int, int]]] = {partition: [] for partition in range(PARTITIONS)}
    number = 0
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(spill, "BUFFER_BYTES", buffer_bytes)
        patch.setattr(spill, "READ_BYTES", 2 * ROW.itemsize)
        rows = Spill(Path(folder), "rows", ROW)
        for batch in batches:
            for key, partition in batch:
                expected[partition].append((key, number))
                number += 1
            numbered = [(key, number - len(batch) + at) for at, (key, _) in enumerate(batch)]
            rows.add(np.array(numbered, ROW), np.array([partition for _, partition in batch], np.uint8))
        for partition, wanted in expected.items():
            parts = [part.tolist() for part in rows.rows(partition, memory_bytes, split_by="key")]
            keys = [{key for key, _ in part} for part in parts]
            assert sum(map(len, keys)) == len({key for key, _ in wanted})
            assert sorted((row for part in parts for row in part), key=lambda row: row[1]) == wanted
            assert all(part == sorted(part, key=lambda row: row[1]) for part in parts)
            rows.discard(partition)
        assert not list(Path(folder).iterdir())


def test_a_full_disk_is_an_error_with_its_number(tmp_path: Path) -> None:
    rows = Spill(tmp_path, "rows", ROW)
    many = np.zeros(1000, ROW)
    rows.add(many, np.zeros(many.size, np.uint8))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, before[1]))  # as a disk that has no more room
    try:
        with pytest.raises(OSError, match="File too large") as raised:
            list(rows.rows(0, 10**6, split_by="key"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert raised.value.errno == errno.EFBIG
