"""Licences of a user's recordings, as their manifest states them."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Any, NoReturn

import pyarrow.parquet as pq
from kedro.io import AbstractDataset

from xmodal_kedro.datasets.credentials import Credentials, options_for
from xmodal_kedro.datasets.errors import DataError
from xmodal_kedro.datasets.listing import kind_of, list_named
from xmodal_kedro.datasets.manifest import COLUMN, is_manifest, is_parquet
from xmodal_kedro.masking import masked, masked_name, masked_value, remember
from xmodal_kedro.storage import FileRef
from xmodal_kedro.storage.text_tables import decode, find_column, read_table

NAMES = ("licence", "license")
"""Of the column."""


class LicencesDataset(AbstractDataset[NoReturn, dict[str, str]]):
    """Licences by `uri`, from the column `licence` or `license` of the manifest that names the recordings.

    Empty if the recordings are named in another way, or the manifest has no such column.
    """

    def __init__(
        self,
        *,
        path: str,
        credentials: Credentials | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """
        Args:
            path: what names the recordings, as of `SourcesDataset`.
            credentials: as of `SourcesDataset`.
            metadata: for plugins; not used here.
        """
        self._address = path
        self._credentials = dict(credentials or {})
        self.metadata = metadata

    def load(self) -> dict[str, str]:
        options = options_for(self._address, self._credentials)
        if not is_manifest(self._address) or kind_of(self._address, options) != "file":
            return {}
        remember(self._address)
        (file,) = list_named({posixpath.basename(self._address): self._address}, self._credentials)
        try:
            rows = _parquet_rows(file) if is_parquet(file) else _csv_rows(file)
            stated = {masked_name(uri): licence.strip() for uri, licence in rows if uri and licence}
            return {uri: masked(licence) for uri, licence in stated.items() if licence}
        except ValueError as error:  # pyarrow's errors and those of decoding are ValueErrors
            raise DataError(
                f"{masked_value(self._address)} cannot be read as a manifest ({error}): save it again"
            ) from error

    def save(self, data: NoReturn) -> None:
        raise DataError(f"{masked_value(self._address)} is a user's: nothing is written there")

    def _exists(self) -> bool:
        return True  # without a manifest, nothing is known

    def content(self) -> None:
        """What the manifest states, only a run finds out: it may be on a server."""

    def _describe(self) -> dict[str, Any]:
        return {"path": masked_value(self._address)}


def _csv_rows(file: FileRef) -> Iterator[tuple[str, str]]:
    table = read_table(decode(file.read_bytes()).text, [COLUMN])
    column, licence = find_column(table.header, COLUMN), _licence_column(table.header)
    if column is not None and licence is not None:
        yield from ((row[column], row[licence]) for row in table.rows)


def _parquet_rows(file: FileRef) -> Iterator[tuple[str, str]]:
    with file.open() as stream, pq.ParquetFile(stream) as parquet:
        header = parquet.schema_arrow.names
        licence = _licence_column(header)
        if COLUMN in header and licence is not None:
            table = parquet.read(columns=[COLUMN, header[licence]])
            found = (table[name].to_pylist() for name in (COLUMN, header[licence]))
            yield from ((uri, str(value or "")) for uri, value in zip(*found, strict=True))


def _licence_column(header: list[str]) -> int | None:
    places = (find_column(header, name) for name in NAMES)
    return next((place for place in places if place is not None), None)
