"""Tables of one kind from several runs, concatenated to one table."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, NoReturn

import fsspec
import pandas as pd
import pyarrow as pa
from kedro.io import AbstractDataset
from kedro.utils import load_obj

from xmodal_kedro.datasets.errors import DataError
from xmodal_kedro.datasets.parquet import read_rows
from xmodal_kedro.datasets.preview import ROWS, TablePreview, table_preview

if TYPE_CHECKING:
    from pandera.pandas import DataFrameModel


class TablesDataset(AbstractDataset[NoReturn, pd.DataFrame]):
    """All Parquet tables whose paths match a glob, concatenated in the order of their paths.

    If none matches, it is a table without rows. It is only read: other datasets, in other runs, write the tables.
    """

    def __init__(self, *, path: str, schema: str, metadata: dict[str, Any] | None = None) -> None:
        """
        Args:
            path: glob, or fsspec URL of one; `*` stays within one folder.
            schema: import path of the Pandera model that validates each of them.
            metadata: for plugins; not used here.
        """
        self._url = path
        self._fs, self._path = fsspec.url_to_fs(path)
        self._schema: type[DataFrameModel] = load_obj(schema)
        self.metadata = metadata

    def load(self) -> pd.DataFrame:
        self._fs.invalidate_cache()  # other runs may write tables while a notebook is open
        tables = [self._read(path) for path in sorted(self._fs.glob(self._path))]
        if not tables:
            return pd.DataFrame(columns=list(self._schema.to_schema().columns))
        return pd.concat(tables, ignore_index=True)

    def preview(self, nrows: int = ROWS) -> TablePreview:
        """The first rows, for Kedro-Viz."""
        rows = self.load().head(nrows)
        return table_preview(list(rows.columns), rows.to_numpy().tolist())

    def save(self, data: NoReturn) -> None:
        raise DataError(f"tables that match {self._url} are only read")

    def content(self) -> str:
        """Digest of the tables that match."""
        self._fs.invalidate_cache()
        digest = hashlib.blake2b(digest_size=16)
        for path in sorted(self._fs.glob(self._path)):
            content = self._fs.cat_file(path)
            digest.update(f"{path} {len(content)}\n".encode() + content)
        return digest.hexdigest()

    def _read(self, path: str) -> pd.DataFrame:
        from pandera.errors import SchemaError, SchemaErrors  # takes seconds, unless `schemas` was imported before

        try:
            with self._fs.open(path, "rb") as stream:
                table = read_rows(stream).to_pandas()
            return self._schema.validate(table)
        except (pa.ArrowInvalid, SchemaError, SchemaErrors) as error:
            reason = str(error).splitlines()[0]
            raise DataError(
                f"{path} is not a table of {self._schema.__name__} of this version ({reason}): run the pipeline that "
                "made it again, or delete it"
            ) from error

    def _exists(self) -> bool:
        return True  # without a match, it is an empty table

    def _describe(self) -> dict[str, Any]:
        return {"path": self._url, "schema": self._schema.__name__}
