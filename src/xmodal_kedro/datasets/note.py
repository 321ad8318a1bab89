"""A small JSON file of facts that are kept from run to run; implements `storage.Note`."""

from __future__ import annotations

from typing import Any

from xmodal_kedro.datasets.atomic import read_json, write_json
from xmodal_kedro.datasets.errors import DataError
from xmodal_kedro.storage import storage_of


class JsonNote:
    """Facts in a JSON file.

    Args:
        path: path or fsspec URL of the file, which need not exist.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._fs, self._file = storage_of(path)

    def read(self) -> dict[str, Any] | None:
        """What is recorded; None if there is no file.

        Raises:
            DataError: naming the file, if it is not a JSON object.
        """
        try:
            facts = read_json(self._fs, self._file)
        except ValueError as error:
            raise self._broken() from error
        if facts is not None and not isinstance(facts, dict):
            raise self._broken()
        return facts

    def write(self, facts: dict[str, Any]) -> None:
        """Record facts in place of the earlier ones.

        Raises:
            OSError: naming the file, if it cannot be written.
        """
        write_json(self._fs, self._file, facts)

    def _broken(self) -> DataError:
        return DataError(f"{self.path} is broken: remove it, and it is written anew")
