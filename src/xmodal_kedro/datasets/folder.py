"""A folder of files of any kind: loaded as file references, written in parallel by jobs."""

from __future__ import annotations

import json
import logging
import posixpath
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from kedro.io import AbstractDataset

from xmodal_kedro.datasets.atomic import sweep, whole_file, write_json
from xmodal_kedro.datasets.content import ABSENT
from xmodal_kedro.datasets.digest import digest
from xmodal_kedro.datasets.errors import DataError
from xmodal_kedro.datasets.executor import Engine, describe_failures, run_all, stopwatch
from xmodal_kedro.datasets.fingerprint import fingerprint
from xmodal_kedro.datasets.index import SCHEME, read_stored_index
from xmodal_kedro.datasets.legacy import legacy_fingerprints
from xmodal_kedro.datasets.listing import by_name, list_folder
from xmodal_kedro.datasets.note import JsonNote
from xmodal_kedro.datasets.preview import ROWS, TablePreview, table_preview
from xmodal_kedro.storage import FileRef, Folder, storage_of
from xmodal_kedro.wording import counted

logger = logging.getLogger(__name__)

INDEX_NAME = ".index.json"

Content = bytes | Callable[[], bytes]


class FolderDataset(AbstractDataset[dict[str, Content], Folder]):
    """The files below a folder; hidden files and folders (names that start with a dot) are not part of it.

    Loading lists the folder and reads no file. Saving takes a mapping of relative name to bytes, or to a callable that
    returns them; callables run in workers. A file that an equal job wrote before is kept. Files of an earlier save that
    the new one does not name are removed. Other files in the folder are neither removed nor overwritten.
    """

    def __init__(
        self,
        *,
        path: str,
        optional: bool = False,
        note: str | None = None,
        engine: Mapping[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """
        Args:
            path: folder, or fsspec URL of one.
            optional: whether a missing folder is loaded as an empty one.
            note: JSON file in which is recorded what is used of the folder, see `Folder.note`.
            engine: fields of `Engine`, for saving.
            metadata: for plugins; not used here.
        """
        self._optional = optional
        self.note = JsonNote(note) if note else None
        self._engine = Engine(**(engine or {}))
        self._url = path
        self._fs, self._path = storage_of(path)
        self._index_path = posixpath.join(self._path, INDEX_NAME)
        self.metadata = metadata

    def load(self) -> Folder:
        if not self._fs.isdir(self._path) and not self._optional:
            raise DataError(f"no folder at {self._url}")
        if not self._is_whole():
            raise DataError(f"{self._url} is not complete: run the pipeline that makes it again")
        return Folder(self._url, by_name(self._list()), self.note)

    def save(self, data: dict[str, Content]) -> None:
        name = posixpath.basename(self._path)
        jobs = {key: content if callable(content) else partial(bytes, content) for key, content in data.items()}
        made = self._made()
        planned = {key: _fingerprint(job, made.get(key)) for key, job in jobs.items()}
        present = {file.name for file in self._list()}
        if foreign := sorted(present & planned.keys() - made.keys()):
            raise DataError(
                f"{posixpath.join(self._url, foreign[0])} was there before, and would be overwritten: choose another "
                "folder, or move that file away"
            )
        due = {key: jobs[key] for key, expected in planned.items() if made.get(key) != expected or key not in present}
        # If the save is killed from here on, the index has every file that it may have written, without a fingerprint.
        self._write_index({key: "" if key in due else value for key, value in planned.items()}, whole=False)
        self._remove(made.keys() - planned.keys())
        for folder in {posixpath.dirname(key) for key in planned.keys() | made.keys()}:
            sweep(self._fs, posixpath.join(self._path, folder))
        tasks = {key: partial(_write_file, self._url, key, job) for key, job in due.items()}
        with stopwatch() as seconds:
            failures = run_all(tasks, self._engine, name) if tasks else {}
        written = {key: expected for key, expected in planned.items() if key not in failures}
        self._write_index(written, whole=not failures)
        counts = (counted(len(due), "file"), len(planned) - len(due))
        logger.info("%s: %s written, %d unchanged, %.1f s", name, *counts, seconds())
        if failures:
            head = f"{name}: {len(failures)} of {len(planned)} files failed, the others are kept:"
            raise DataError(f"{head}\n{describe_failures(failures)}")

    def require_readable_index(self) -> None:
        """Check that a save can go on from what is stored.

        Raises:
            DataError: if a newer version of this project stored it, or its index is broken.
        """
        self._read_index()

    def preview(self, nrows: int = ROWS) -> TablePreview:
        """The first files with their sizes, for Kedro-Viz."""
        files = list(self.load().values())[:nrows]
        return table_preview(["file", "size_bytes"], [[file.name, file.size_bytes] for file in files])

    def content(self) -> str | None:
        """Digest of what the listing states of the files, also of linked ones; None if it states no versions."""
        if not self._fs.isdir(self._path):
            return ABSENT
        files = by_name(self._list()).values()
        if not all(file.modified_ns or file.version for file in files):
            return None
        return digest(json.dumps([self._read_index(), sorted(file.listing_mark for file in files)], sort_keys=True))

    def _list(self) -> list[FileRef]:
        return list_folder(self._url, {}) if self._fs.isdir(self._path) else []

    def _remove(self, names: set[str]) -> None:
        for name in names:
            path = posixpath.join(self._path, name)
            if self._fs.isfile(path):
                self._fs.rm_file(path)

    def _made(self) -> dict[str, str]:
        """Fingerprints of the files that earlier saves wrote; empty for a folder that was filled in another way."""
        made: dict[str, str] = self._read_index()["files"]
        return made

    def _is_whole(self) -> bool:
        return bool(self._read_index()["whole"])

    def _read_index(self) -> dict[str, Any]:
        return read_stored_index(self._fs, self._index_path, self._url) or {"whole": True, "files": {}}

    def _write_index(self, files: Mapping[str, str], whole: bool) -> None:
        write_json(self._fs, self._index_path, {"scheme": SCHEME, "whole": whole, "files": dict(files)})

    def _exists(self) -> bool:
        """Whether there are files, and all of those that the last save recorded."""
        present = {file.name for file in self._list()}
        return (bool(present) or self._optional) and self._is_whole() and self._made().keys() <= present

    def _describe(self) -> dict[str, Any]:
        return {"path": self._url}


def _fingerprint(job: Callable[[], bytes], stored: str | None) -> str:
    """Fingerprint of a job; the stored one, if version 0.1 stored what the job would make."""
    planned = fingerprint(job)
    return stored if stored and stored != planned and stored in legacy_fingerprints(job) else planned


def _write_file(url: str, name: str, job: Callable[[], bytes]) -> None:
    fs, folder = storage_of(url)
    content = job()
    with whole_file(fs, posixpath.join(folder, name)) as path:
        fs.pipe_file(path, content)
