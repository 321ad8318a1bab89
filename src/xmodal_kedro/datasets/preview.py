"""Previews of stored data for Kedro-Viz: a few rows, read without the rest, in cells that a browser can hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NewType

import pyarrow as pa
import pyarrow.parquet as pq

TablePreview = NewType("TablePreview", dict[str, Any])
HTMLPreview = NewType("HTMLPreview", str)
TextPreview = NewType("TextPreview", str)
"""Kedro-Viz identifies previews by the names of these types. kedro-datasets has such types too, but none for text."""

ROWS = 10
MAX_TEXT = 200
NUMBERS_SHOWN = 4
DECIMALS = 4
KILOBYTE = 1000


def table_preview(columns: list[str], rows: list[list[Any]]) -> TablePreview:
    """A table in the format of Kedro-Viz, with large cells shortened."""
    data = [[cell(value) for value in row] for row in rows]
    return TablePreview({"index": list(range(len(rows))), "columns": columns, "data": data})


def preview_parquet(parquet: pq.ParquetFile, nrows: int) -> TablePreview:
    """The first rows of a Parquet file. Only the row groups that hold them are read."""
    batch = next(parquet.iter_batches(nrows), None) if nrows else None
    rows = pa.Table.from_batches([batch]) if batch is not None else parquet.schema_arrow.empty_table()
    return table_preview(rows.column_names, [list(row.values()) for row in rows.to_pylist()])


def cell(value: Any) -> Any:
    """A value as a cell: bytes as their size, lists as their length and first values, long texts cut."""
    if isinstance(value, bytes):
        return f"{len(value) / KILOBYTE:.1f} kB"
    if isinstance(value, list):
        return _list(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {cell(inner)}" for key, inner in value.items())
    if isinstance(value, float):
        return round(value, DECIMALS)
    if isinstance(value, str) and len(value) > MAX_TEXT:
        return value[: MAX_TEXT - 1] + "…"
    return value


def _list(values: list[Any]) -> str:
    shown = ", ".join(str(cell(value)) for value in values[:NUMBERS_SHOWN])
    return shown if len(values) <= NUMBERS_SHOWN else f"{shown}, … ({len(values):,} in all)"
