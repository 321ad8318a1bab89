"""Parquet files written in a stream do not depend on how the rows were divided."""

from __future__ import annotations

import io
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from tests.datasets.jobs import in_pieces, mixed
from xmodal_kedro.datasets.parquet import read_footer, write_tables


def written(tables: Iterable[pa.Table], row_group_size: int = 8) -> bytes:
    stream = io.BytesIO()
    write_tables(stream, iter(tables), lambda footer: footer, row_group_size=row_group_size, compression="zstd")
    return stream.getvalue()


@given(st.integers(0, 60), st.lists(st.integers(0, 20), max_size=12), st.integers(1, 20))
def test_the_bytes_depend_on_the_rows_and_not_on_how_they_came(rows: int, lengths: list[int], group: int) -> None:
    assert written(in_pieces(rows, lengths), group) == written([mixed(rows)], group)


@given(st.integers(0, 60), st.lists(st.integers(0, 20), max_size=12), st.integers(1, 20))
def test_every_row_group_but_the_last_is_full(rows: int, lengths: list[int], group: int) -> None:
    parquet = pq.ParquetFile(io.BytesIO(written(in_pieces(rows, lengths), group)))
    sizes = [parquet.metadata.row_group(index).num_rows for index in range(parquet.num_row_groups)]
    assert sizes == [group] * (rows // group) + ([rows % group] if rows % group else [])
    assert parquet.read().equals(mixed(rows))


def test_the_footer_holds_the_metadata_of_the_last_table() -> None:
    parquet = pq.ParquetFile(io.BytesIO(written(in_pieces(5, [3], count="at the end"))))
    assert read_footer(parquet) == {"count": "at the end"}


def test_a_page_does_not_end_where_a_table_does() -> None:
    """Pages hold about a megabyte: these rows make several of one row group."""
    rows = pa.table({"sound": [number.to_bytes(2, "big") * 1500 for number in range(3000)]})
    pieces = [rows.slice(start, 700) for start in range(0, 3000, 700)]
    assert written(pieces, 3000) == written([rows], 3000)
