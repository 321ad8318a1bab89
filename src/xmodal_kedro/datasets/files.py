"""Single files, through kedro-datasets, written atomically."""

from __future__ import annotations

import json
import logging
import posixpath
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
from kedro.io import DatasetError
from kedro_datasets.json import JSONDataset
from kedro_datasets.pandas import CSVDataset, ParquetDataset
from kedro_datasets.plotly import JSONDataset as PlotlyJSONDataset
from kedro_datasets.text import TextDataset
from kedro_datasets_experimental.safetensors import SafetensorsDataset

from xmodal_kedro.datasets.atomic import is_local, sweep, usual_mode, whole_file
from xmodal_kedro.datasets.errors import DataError
from xmodal_kedro.datasets.parquet import read_rows
from xmodal_kedro.datasets.preview import ROWS, HTMLPreview, TablePreview, TextPreview, preview_parquet, table_preview
from xmodal_kedro.storage import storage_of
from xmodal_kedro.storage.text_tables import FALLBACK, decode, read_table

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

logger = logging.getLogger(__name__)


class WholeFile:
    """Mixin for a one-file dataset of kedro-datasets: a save that is killed leaves the earlier file unchanged.

    Loading a missing file raises an error that names it and the remedy.
    """

    _fs: AbstractFileSystem
    _filepath: PurePosixPath

    def save(self, data: Any) -> None:
        final = self._filepath
        sweep(self._fs, posixpath.dirname(str(final)), final.name)
        try:
            with whole_file(self._fs, str(final)) as partial_path:
                self._filepath = PurePosixPath(partial_path)
                _save_in_place(super(), data)
        finally:
            self._filepath = final

    def load(self) -> Any:
        if not self._fs.exists(str(self._filepath)):
            raise DataError(f"{self._filepath} is missing: run the pipeline that makes it first")
        return super().load()  # type: ignore[misc]  # defined by the dataset that it is mixed into


def _save_in_place(parent: Any, data: Any) -> None:
    """Call the parent's `save`, and raise the error that Kedro wraps."""
    try:
        parent.save(data)
    except DatasetError as error:
        if isinstance(error.__cause__, Exception):
            raise error.__cause__ from error
        raise


class TableDataset(WholeFile, ParquetDataset):
    """A pandas table as Parquet, read as `parquet.read_rows` says why unless the catalog has `load_args`."""

    def load(self) -> Any:
        if self._load_args or not self._fs.exists(str(self._filepath)):
            return super().load()
        with self._fs.open(str(self._filepath), "rb") as stream:
            return read_rows(stream).to_pandas()

    def preview(self, nrows: int = ROWS) -> TablePreview:
        """The first rows, for Kedro-Viz, from any storage; the parent's method reads local files only."""
        with self._fs.open(str(self._filepath), "rb") as stream:
            return preview_parquet(pq.ParquetFile(stream), nrows)


class MovedTableDataset(TableDataset):
    """A table that an earlier version of the project stored in another place. Saving removes it there."""

    def __init__(self, *, formerly: str, **arguments: Any) -> None:
        """
        Args:
            formerly: path or fsspec URL of the other place.
            arguments: of `TableDataset`.
        """
        super().__init__(**arguments)
        self._former_fs, self._former_path = storage_of(formerly)

    def save(self, data: Any) -> None:
        super().save(data)
        if self._former_fs.isfile(self._former_path):
            self._former_fs.rm_file(self._former_path)


class OptionalTableDataset(TableDataset):
    """A table that need not be there: a missing file is loaded as no rows of its columns."""

    def __init__(self, *, columns: list[str], **arguments: Any) -> None:
        """
        Args:
            columns: of the table.
            arguments: of `TableDataset`.
        """
        super().__init__(**arguments)
        self._columns = columns

    def load(self) -> Any:
        if self._fs.exists(str(self._filepath)):
            return super().load()
        import pandas as pd

        return pd.DataFrame(columns=self._columns)

    def preview(self, nrows: int = ROWS) -> TablePreview:
        """The first rows, for Kedro-Viz."""
        if self._fs.exists(str(self._filepath)):
            return super().preview(nrows)
        return table_preview(self._columns, [])

    def _exists(self) -> bool:
        return True


class CsvDataset(WholeFile, CSVDataset):
    """A pandas table as CSV."""

    def load(self) -> Any:
        try:
            return super().load()
        except DatasetError as error:
            if isinstance(error.__cause__, ValueError):  # errors of pandas and of decoding are ValueErrors
                raise DataError(
                    f"{self._filepath} cannot be read as a table: save it as CSV in UTF-8, its columns divided by "
                    f"commas and cells that hold commas in quotes ({error.__cause__})"
                ) from error
            raise


class TextTableDataset(CsvDataset):
    """A table that a person wrote, as a pandas table of text: `storage.text_tables` says in which forms.

    An empty cell is an empty text, and `NA`, `007` and `1e5` are what is written.
    """

    def load(self) -> Any:
        import pandas as pd

        path = str(self._filepath)
        if not self._fs.exists(path):
            raise DataError(f"{path} is missing: put it there, or name another file")
        try:
            text, encoding = decode(self._fs.cat_file(path))
            header, rows = read_table(text)
        except ValueError as error:
            raise DataError(f"{path} {error}: save it as CSV in UTF-8, cells that hold commas in quotes") from error
        if encoding == FALLBACK:
            logger.warning("%s is not UTF-8 and is read as Windows-1252: store it as UTF-8", path)
        return pd.DataFrame(rows, columns=header, dtype=str)

    def preview(self, nrows: int = ROWS) -> TablePreview:
        """The first rows, for Kedro-Viz."""
        table = self.load().head(nrows)
        return table_preview(list(table.columns), table.to_numpy().tolist())


class JsonDataset(WholeFile, JSONDataset):
    """A JSON value."""


class OptionalJsonDataset(JsonDataset):
    """A JSON mapping that need not be there: a missing file is loaded as an empty one."""

    def load(self) -> Any:
        return super().load() if self._fs.exists(str(self._filepath)) else {}

    def _exists(self) -> bool:
        return True


class PlotDataset(WholeFile, PlotlyJSONDataset):
    """A plotly figure as JSON, shown by Kedro-Viz."""


class HtmlDataset(WholeFile, TextDataset):
    """A page of HTML."""


class SheetDataset(HtmlDataset):
    """HTML without scripts or line breaks, which Kedro-Viz shows."""

    def preview(self) -> HTMLPreview:
        """The whole page. Kedro-Viz also reads it as Markdown, where text between underscores would be in italics."""
        return HTMLPreview(self.load().replace("_", "\N{NO-BREAK SPACE}"))


class _PlainBytes(TextDataset):
    """Unchanged bytes."""

    def load(self) -> Any:
        with self._fs.open(str(self._filepath), "rb") as stream:
            return stream.read()

    def save(self, data: Any) -> None:
        with self._fs.open(str(self._filepath), "wb") as stream:
            stream.write(data)


class BytesDataset(WholeFile, _PlainBytes):
    """The content of a file that other programs read."""


class MarkdownDataset(WholeFile, TextDataset):
    """A text in Markdown."""

    def preview(self) -> TextPreview:
        """The text, for Kedro-Viz."""
        return TextPreview(self.load())


class _AnywhereSafetensors(SafetensorsDataset):
    """`SafetensorsDataset` for any storage: its own `save` writes local files only."""

    def save(self, data: Any) -> None:
        from safetensors.torch import save, save_file

        path = str(self._filepath)
        if is_local(self._fs):  # straight to the disk, without the whole file in memory
            with usual_mode(path):
                save_file(data, path)
        else:
            self._fs.pipe_file(path, save(data))


class WeightsDataset(WholeFile, _AnywhereSafetensors):
    """Named tensors as safetensors: loading runs no code."""

    def preview(self, nrows: int | None = None) -> TablePreview:
        """Names, shapes and types of the tensors, for Kedro-Viz; no tensor is read."""
        with self._fs.open(str(self._filepath), "rb") as stream:
            header = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
        tensors = [(name, tensor) for name, tensor in header.items() if name != "__metadata__"][:nrows]
        rows = [[name, " x ".join(map(str, tensor["shape"])), tensor["dtype"]] for name, tensor in tensors]
        return table_preview(["tensor", "shape", "type"], rows)


class OptionalWeightsDataset(WeightsDataset):
    """Named tensors, of which there may be none: then there is no file."""

    def load(self) -> Any:
        return super().load() if self._fs.exists(str(self._filepath)) else {}

    def save(self, data: Any) -> None:
        if data:
            super().save(data)
        elif self._fs.exists(str(self._filepath)):
            self._fs.rm_file(str(self._filepath))

    def _exists(self) -> bool:
        return True

    def preview(self, nrows: int | None = None) -> TablePreview:
        """As of `WeightsDataset`; no rows without a file."""
        exists = self._fs.exists(str(self._filepath))
        return super().preview(nrows) if exists else table_preview(["tensor", "shape", "type"], [])
