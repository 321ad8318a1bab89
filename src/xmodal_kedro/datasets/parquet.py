"""Parquet files: written in a stream, with metadata that is known at the end in the footer, and read as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO, Literal

import pyarrow as pa
import pyarrow.parquet as pq

Footer = dict[str, str]
"""Key-value metadata of a file."""

ARROW_SCHEMA_KEY = b"ARROW:schema"


def write_tables(
    stream: IO[bytes],
    tables: Iterator[pa.Table],
    complete: Callable[[Footer], Mapping[str, str]],
    *,
    row_group_size: int,
    compression: Literal["none", "zstd"],
) -> None:
    """Store tables of one schema one after the other. Memory holds at most a row group and one table.

    The bytes depend only on the rows, their order and the footer, not on how the rows are divided into tables.

    Args:
        stream: writable binary stream.
        tables: at least one table.
        complete: takes the metadata of all the tables' schemas, where later tables take precedence, and returns the
            footer.
        row_group_size: rows of every row group but the last.
        compression: compression of every column.

    Raises:
        ValueError: if there is no table, or tables differ in their schema.
    """
    first = next(tables, None)
    if first is None:
        raise ValueError("the job returned no table: return one without rows if there are none")
    schema = first.schema.remove_metadata()
    footer: Footer = {}
    # Uncompressed columns are read by memory map. A dictionary encoding of audio would double the time to read it.
    with pq.ParquetWriter(stream, schema, compression=compression, use_dictionary=compression != "none") as writer:
        for group in _row_groups(_with_first(first, tables), schema, footer, row_group_size):
            writer.write_table(group, row_group_size=row_group_size)
            del group  # else it is kept while the next one is gathered
            pa.default_memory_pool().release_unused()  # else it keeps what a group took, and takes anew for the next
        writer.add_key_value_metadata(dict(complete(footer)))


def read_rows(stream: IO[bytes], columns: Sequence[str] | None = None) -> pa.Table:
    """The table of a file.

    `pyarrow.parquet.read_table` and pandas let Arrow's threads hold the stream. A thread that drops it while Python
    exits aborts the process (seen with PyArrow 25). Here nothing holds the stream after the return.

    Args:
        stream: readable and seekable binary stream.
        columns: names; all if None.

    Raises:
        pyarrow.ArrowInvalid: if that is no Parquet file.
    """
    with pq.ParquetFile(stream, pre_buffer=False) as parquet:
        return parquet.read(
            columns=list(columns) if columns is not None else None,
            use_threads=False,
            use_pandas_metadata=columns is None,
        )


def read_footer(parquet: pq.ParquetFile) -> Footer:
    """The key-value metadata of a file."""
    stored = parquet.metadata.metadata or {}
    return {key.decode(): value.decode() for key, value in stored.items() if key != ARROW_SCHEMA_KEY}


def _with_first(first: pa.Table, tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    yield first
    yield from tables


def _row_groups(tables: Iterator[pa.Table], schema: pa.Schema, footer: Footer, rows: int) -> Iterator[pa.Table]:
    """Tables of exactly `rows` rows, except the last, each column in one chunk; fills `footer` on the way."""
    waiting = schema.empty_table()
    for table in tables:
        footer.update({key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()})
        if not table.schema.equals(schema):
            raise ValueError(f"the job's tables differ in their columns: {schema} and {table.schema}")
        waiting = pa.concat_tables([waiting, table.replace_schema_metadata(None)])
        del table
        while waiting.num_rows >= rows:
            groups = [waiting.slice(0, rows)]
            waiting = waiting.slice(rows)
            # Without a name: what is yielded is freed as soon as it is written, and its parts before that.
            yield groups.pop().combine_chunks()
    if waiting.num_rows:
        yield waiting.combine_chunks()
