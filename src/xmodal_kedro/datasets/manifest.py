"""Manifests: tables that name files by their addresses."""

from __future__ import annotations

import codecs
import csv
import io
import logging
import re
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from xmodal_kedro.datasets.errors import DataError
from xmodal_kedro.storage import WEB_PROTOCOLS, FileRef, protocol_of
from xmodal_kedro.storage.text_tables import decode, find_separator, stripped
from xmodal_kedro.wording import counted

logger = logging.getLogger(__name__)

COLUMN = "uri"
SUFFIXES = (".csv", ".parquet")
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def is_manifest(address: str) -> bool:
    """Whether a file is a manifest, by its name."""
    return without_query(address).lower().endswith(SUFFIXES)


def without_query(address: str) -> str:
    """An address on the web without what follows its path."""
    return re.split("[?#]", address, maxsplit=1)[0] if protocol_of(address) in WEB_PROTOCOLS else address


def is_parquet(file: FileRef) -> bool:
    """Whether a manifest is Parquet, by its name."""
    return without_query(file.path).lower().endswith(".parquet")


def read_manifest(file: FileRef) -> list[str]:
    """The addresses that a manifest names, in its order, each once. Columns other than `uri` are ignored.

    Raises:
        DataError: naming the wrong file, field or row, and the remedy.
    """
    column = _parquet_column(file) if is_parquet(file) else _csv_column(file)
    addresses: list[str] = []
    for row, address in enumerate(column, start=1):
        if not address or not address.strip():
            raise DataError(f"{file.shown}: row {row} has no {COLUMN}: set the address of a file, or remove the row")
        addresses.append(address)
    if not addresses:
        raise DataError(f"{file.shown} names no file: add a row for each, with its address in {COLUMN}")
    unique = list(dict.fromkeys(addresses))
    if len(unique) < len(addresses):
        repeated = counted(len(addresses) - len(unique), "row repeats", "rows repeat")
        logger.info("%s: %s another's %s", file.shown, repeated, COLUMN)
    return unique


def _csv_column(file: FileRef) -> Iterator[str | None]:
    content = file.read_bytes()
    try:  # addresses must be exact, so no other encoding is guessed
        text = decode(content).text if content.startswith(UTF_16) else content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{file.shown} is not UTF-8 (byte {error.start}): store it as UTF-8, or as Parquet") from error
    except ValueError as error:
        raise DataError(f"{file.shown} {error}: store it as UTF-8, or as Parquet") from error
    delimiter = find_separator(text, [COLUMN])
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter)
    try:
        header = list(rows.fieldnames or [])
        written = [name for name in header if stripped(name).casefold() == COLUMN]
        column = written[0] if len(written) == 1 and COLUMN not in header else COLUMN
        _require_column(file, [COLUMN if name == column else name for name in header])
        for row in rows:
            yield row[column]
    except csv.Error as error:
        raise DataError(
            f"{file.shown} is not CSV in line {rows.reader.line_num} ({error}): correct that line"
        ) from error


def _parquet_column(file: FileRef) -> list[str | None]:
    try:
        with file.open() as stream, pq.ParquetFile(stream) as parquet:
            schema = parquet.schema_arrow
            _require_column(file, schema.names)
            kind = schema.field(COLUMN).type
            if not any(
                is_kind(kind) for is_kind in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
            ):
                raise DataError(f"{file.shown}: column {COLUMN} holds {kind}: store addresses as strings")
            return list(parquet.read(columns=[COLUMN])[COLUMN].to_pylist())
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise DataError(f"{file.shown} is not a whole Parquet file ({error}): write it again") from error


def _require_column(file: FileRef, columns: list[str]) -> None:
    if columns.count(COLUMN) != 1:
        raise DataError(
            f"{file.shown} must have one column {COLUMN}, but its columns are {', '.join(columns) or '-'}: "
            f"rename the one with the files' addresses to {COLUMN}"
        )
