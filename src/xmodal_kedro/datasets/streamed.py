"""A table as CSV that is written as its rows come, and not again while they stay the same."""

from __future__ import annotations

import csv
import io
import logging
import posixpath
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

from kedro.io import AbstractDataset

from xmodal_kedro.datasets.atomic import read_json, sweep, whole_file, write_json
from xmodal_kedro.datasets.errors import DataError
from xmodal_kedro.datasets.fingerprint import fingerprint
from xmodal_kedro.datasets.preview import ROWS, TablePreview, table_preview
from xmodal_kedro.storage import FileRef, storage_of

logger = logging.getLogger(__name__)

Pieces = Callable[[], Iterable[bytes]]


class StreamedCsvDataset(AbstractDataset[Pieces, FileRef]):
    """A CSV file of any size. Saving takes a job that gives its bytes in pieces, and loading a reference to the file.

    A hidden file beside it keeps the job's fingerprint and the file's size. If both are what they would be, nothing is
    written.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """
        Args:
            filepath: path or fsspec URL.
            metadata: for plugins; not used here.
        """
        self._url = filepath
        self._fs, self._path = storage_of(filepath)
        folder, self._name = posixpath.split(self._path)
        self._note_path = posixpath.join(folder, f".{self._name}.json")
        self.metadata = metadata

    def save(self, data: Pieces) -> None:
        planned = fingerprint(data)
        if self._exists() and self._note() == [planned, self._fs.size(self._path)]:
            logger.info("%s: unchanged", self._name)
            return
        sweep(self._fs, posixpath.dirname(self._path), self._name)
        with whole_file(self._fs, self._path) as partial_path, self._fs.open(partial_path, "wb") as stream:
            for piece in data():
                stream.write(piece)
        self._fs.invalidate_cache(posixpath.dirname(self._path))
        write_json(self._fs, self._note_path, [planned, self._fs.size(self._path)])

    def load(self) -> FileRef:
        if not self._exists():
            raise DataError(f"{self._url} is missing: run the pipeline that makes it first")
        return FileRef(self._name, self._url, int(self._fs.size(self._path)), 0)

    def preview(self, nrows: int = ROWS) -> TablePreview:
        """The first rows, for Kedro-Viz."""
        with self._fs.open(self._path, "rb") as stream, io.TextIOWrapper(stream, "utf-8", newline="") as text:
            header, *rows = islice(csv.reader(text), nrows + 1)
        return table_preview(header, rows)

    def _note(self) -> Any:
        try:
            return read_json(self._fs, self._note_path)
        except ValueError:  # it was broken, and is written again
            return None

    def _exists(self) -> bool:
        return bool(self._fs.isfile(self._path))

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._url}
