"""Files for other tools, several from each job: written in parallel and in a stream, resumed, removed when stale."""

from __future__ import annotations

import logging
import posixpath
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from fsspec import AbstractFileSystem
from kedro.io import AbstractDataset

from xmodal_kedro.datasets.atomic import is_local, sweep, whole_file, write_json
from xmodal_kedro.datasets.errors import DataError
from xmodal_kedro.datasets.executor import Engine, describe_failures, run_all, stopwatch
from xmodal_kedro.datasets.fingerprint import fingerprint
from xmodal_kedro.datasets.index import SCHEME, read_stored_index
from xmodal_kedro.datasets.listing import by_name, list_folder
from xmodal_kedro.datasets.preview import ROWS, TablePreview, table_preview
from xmodal_kedro.storage import FileRef, Folder, storage_of
from xmodal_kedro.storage.exported import ExportedFile, FileJobs
from xmodal_kedro.wording import counted

logger = logging.getLogger(__name__)

INDEX_NAME = ".index.json"
NOTES = ".jobs"
"""Hidden folder of notes: a JSON for each finished job, with its fingerprint and the names of its files."""
NOTES_AT_A_TIME = 16


class _Note(NamedTuple):
    fingerprint: str
    files: tuple[str, ...]


class ExportedFilesDataset(AbstractDataset[FileJobs, Folder]):
    """Files below a folder, made by jobs that give any number of files each.

    A job whose equal has finished before, and whose files are all there, is not run again, whatever became of their
    content: what a user edits stays as long as the job does not change. Files are written atomically and in a stream. A
    job's note is written after its files, so a killed save repeats the unfinished jobs alone. Files of earlier jobs
    that no job makes any more are removed. Other files in the folder are left alone.

    Loading lists the files that jobs made.
    """

    def __init__(
        self, *, path: str, engine: Mapping[str, Any] | None = None, metadata: dict[str, Any] | None = None
    ) -> None:
        """
        Args:
            path: folder, or fsspec URL of one.
            engine: fields of `Engine`.
            metadata: for plugins; not used here.
        """
        self._engine = Engine(**(engine or {}))
        self._url = path
        self._fs, self._path = storage_of(path)
        self._index_path = posixpath.join(self._path, INDEX_NAME)
        self.metadata = metadata

    def save(self, data: FileJobs) -> None:
        name = "/".join(self._path.split("/")[-2:])
        planned = {key: fingerprint(job) for key, job in sorted(data.items())}
        was_whole = self._is_whole()
        notes = self._notes()
        present = {file.name for file in self._list()}
        kept = {key for key, note in notes.items() if planned.get(key) == note.fingerprint and present >= {*note.files}}
        due = sorted(planned.keys() - kept)
        stale = notes.keys() - planned.keys()
        if due or stale or not was_whole:
            self._write_index(whole=False)
        with stopwatch() as seconds:
            tasks = {key: partial(_write_files, self._url, key, planned[key], data[key]) for key in due}
            failures = run_all(tasks, self._engine, name) if tasks else {}
        counts = (counted(len(due) - len(failures), "job"), len(kept), len(failures))
        logger.info("%s: %s written, %d unchanged, %d failed, %.1f s", name, *counts, seconds())
        if failures:
            head = f"{name}: {len(failures)} of {len(planned)} jobs failed; the files of the others are kept:"
            raise DataError(f"{head}\n{describe_failures(failures)}")
        if due or stale or not was_whole:
            self._forget(stale)
            current = self._notes()
            self._require_own_files(current)
            made = {file for note in current.values() for file in note.files}
            self._remove({file for note in notes.values() for file in note.files} - made)
            for folder in {posixpath.dirname(file) for file in made}:  # partial files of workers that died
                sweep(self._fs, posixpath.join(self._path, folder))
            self._write_index(whole=True)

    def load(self) -> Folder:
        if not self._is_whole():
            raise DataError(f"{self._url} is missing or not complete: run the pipeline that makes it")
        made = {file for note in self._notes().values() for file in note.files}
        return Folder(self._url, {name: file for name, file in by_name(self._list()).items() if name in made})

    def require_readable_index(self) -> None:
        """Check that a save can go on from what is stored.

        Raises:
            DataError: if a newer version of this project stored it, or its index is broken.
        """
        self._is_whole()

    def preview(self, nrows: int = ROWS) -> TablePreview:
        """The first files with their sizes, for Kedro-Viz."""
        files = list(self.load().values())[:nrows]
        return table_preview(["file", "size_bytes"], [[file.name, file.size_bytes] for file in files])

    def _list(self) -> list[FileRef]:
        self._fs.invalidate_cache(self._path)
        return list_folder(self._url, {}) if self._fs.isdir(self._path) else []

    def _notes(self) -> dict[str, _Note]:
        """Notes of finished jobs, by key; one that cannot be read counts for nothing."""
        folder = posixpath.join(self._path, NOTES)
        sweep(self._fs, folder)
        if not self._fs.isdir(folder):
            return {}
        paths = [path for path in self._fs.ls(folder, detail=False) if path.endswith(".json")]
        with ThreadPoolExecutor(NOTES_AT_A_TIME) as threads:
            read = zip(paths, threads.map(self._read_note, paths), strict=True)
            return {posixpath.basename(path).removesuffix(".json"): note for path, note in read}

    def _read_note(self, path: str) -> _Note:
        stored = read_stored_index(self._fs, path, self._url) or {}
        return _Note(str(stored.get("fingerprint", "")), tuple(stored.get("files", ())))

    def _require_own_files(self, notes: Mapping[str, _Note]) -> None:
        times = Counter(file for note in notes.values() for file in note.files)
        if twice := sorted(file for file, count in times.items() if count > 1):
            raise DataError(f"{self._url}: several jobs make {twice[0]}, and the last one to end made what is there")

    def _forget(self, keys: set[str]) -> None:
        for key in keys:
            self._fs.rm_file(_note_path(self._path, key))

    def _remove(self, names: set[str]) -> None:
        for name in sorted(names):
            path = posixpath.join(self._path, name)
            if self._fs.isfile(path):
                self._fs.rm_file(path)
        folders = {str(folder) for name in names for folder in PurePosixPath(name).parents} - {"."}
        for folder in sorted(folders, key=len, reverse=True) if is_local(self._fs) else ():
            with suppress(OSError):  # it holds other files, or is gone
                self._fs.rmdir(posixpath.join(self._path, folder))

    def _is_whole(self) -> bool:
        stored = read_stored_index(self._fs, self._index_path, self._url)
        return stored is not None and bool(stored.get("whole"))

    def _write_index(self, whole: bool) -> None:
        write_json(self._fs, self._index_path, {"scheme": SCHEME, "whole": whole})

    def _exists(self) -> bool:
        return self._is_whole()

    def _describe(self) -> dict[str, Any]:
        return {"path": self._url}


def _write_files(url: str, key: str, planned: str, job: Callable[[], Iterator[ExportedFile]]) -> None:
    """Write the files of one job, then its note; runs in a worker."""
    fs, folder = storage_of(url)
    names: list[str] = []
    for file in job():
        names.append(_checked(file.name))
        _write(fs, posixpath.join(folder, file.name), file)
    note = {"scheme": SCHEME, "fingerprint": planned, "files": names}
    write_json(fs, _note_path(folder, key), note)


def _write(fs: AbstractFileSystem, path: str, file: ExportedFile) -> None:
    with whole_file(fs, path) as partial_path, fs.open(partial_path, "wb") as stream:
        for piece in file.content:
            stream.write(piece)


def _checked(name: str) -> str:
    """The name of a file below the dataset's folder, and not hidden.

    Raises:
        ValueError: if it is another.
    """
    if any(part == "" or part.startswith(".") for part in name.split("/")):
        raise ValueError(f"{name!r} is no name of a file below the folder")
    return name


def _note_path(folder: str, key: str) -> str:
    return posixpath.join(folder, NOTES, f"{key}.json")
