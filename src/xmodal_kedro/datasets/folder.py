"""A folder of files of any kind: read as handles, written in parallel from jobs."""

from __future__ import annotations

import logging
import os
import posixpath
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import fsspec
from kedro.io import AbstractDataset, DatasetError

from xmodal_kedro.datasets.engine import Engine, run_all, stopwatch
from xmodal_kedro.datasets.fingerprint import fingerprint
from xmodal_kedro.datasets.storage import is_local, read_json, sweep, whole_file, write_json
from xmodal_kedro.handles import FileRef, Folder

logger = logging.getLogger(__name__)

INDEX_NAME = ".index.json"

Content = bytes | Callable[[], bytes]


class FolderDataset(AbstractDataset[dict[str, Content], Folder]):
    """The files below a folder; hidden files and folders (names that start with a dot) are not part of it.

    Loading lists the folder and reads nothing. Saving takes a mapping of relative name to bytes, or to a callable that
    returns them; callables run in workers. A file that an equal job wrote before is left as it is. Files that an
    earlier save wrote and the new one does not name are removed; files that somebody else put there never are.
    """

    def __init__(
        self,
        *,
        path: str,
        engine: Mapping[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """
        Args:
            path: folder, or fsspec URL of one.
            engine: fields of `Engine`, for saving.
            metadata: for plugins; not used here.
        """
        self._engine = Engine(**(engine or {}))
        self._url = path
        self._fs, self._path = fsspec.url_to_fs(path)
        self._index_path = posixpath.join(self._path, INDEX_NAME)
        self.metadata = metadata

    def load(self) -> Folder:
        if not self._fs.isdir(self._path):
            raise DatasetError(f"no folder at {self._url}")
        if not self._is_whole():
            raise DatasetError(f"{self._url} is not complete: run the pipeline that makes it again")
        return Folder(self._url, {file.name: file for file in self._list()})

    def save(self, data: dict[str, Content]) -> None:
        name = posixpath.basename(self._path)
        jobs = {key: content if callable(content) else partial(bytes, content) for key, content in data.items()}
        planned = {key: fingerprint(job) for key, job in jobs.items()}
        made = self._made()
        present = {file.name for file in self._list()}
        due = {key: jobs[key] for key, mark in planned.items() if made.get(key) != mark or key not in present}
        # A save killed from here on leaves every file that it may have made named, and vouches for the finished ones.
        self._write_index({key: "" if key in due else mark for key, mark in planned.items()}, whole=False)
        self._remove(made.keys() - planned.keys())
        for folder in {posixpath.dirname(name) for name in planned.keys() | made.keys()}:
            sweep(self._fs, posixpath.join(self._path, folder))
        tasks = {key: partial(_write_file, self._url, key, job) for key, job in due.items()}
        with stopwatch() as seconds:
            failures = run_all(tasks, self._engine, name) if tasks else {}
        written = {key: mark for key, mark in planned.items() if key not in failures}
        self._write_index(written, whole=not failures)
        logger.info("%s: %d files written, %d unchanged, %.1f s", name, len(due), len(planned) - len(due), seconds())
        if failures:
            lines = "\n".join(f"  {key}: {failure}" for key, failure in failures.items())
            raise DatasetError(f"{name}: {len(failures)} of {len(planned)} files failed, the others are kept:\n{lines}")

    def _list(self) -> list[FileRef]:
        if not self._fs.isdir(self._path):
            return []
        found = _walk_local(self._path) if is_local(self._fs) else self._fs.find(self._path)
        names = ((posixpath.relpath(path, self._path), path) for path in found)
        return [self._file(name, path) for name, path in names if not any(part[0] == "." for part in name.split("/"))]

    def _file(self, name: str, path: str) -> FileRef:
        url = self._fs.unstrip_protocol(path) if not is_local(self._fs) else path
        try:
            info = self._fs.info(path)
        except FileNotFoundError:  # a link to nowhere: the one who opens it says so
            info = {}
        return FileRef(_printable(name), url, info.get("size") or 0, _modified_ns(info))

    def _remove(self, names: set[str]) -> None:
        for name in names:
            path = posixpath.join(self._path, name)
            if self._fs.isfile(path):
                self._fs.rm_file(path)

    def _made(self) -> dict[str, str]:
        """Fingerprints of the files that a save of ours wrote; empty for a folder that somebody else filled."""
        made: dict[str, str] = (read_json(self._fs, self._index_path) or {"files": {}})["files"]
        return made

    def _is_whole(self) -> bool:
        whole: bool = (read_json(self._fs, self._index_path) or {"whole": True})["whole"]
        return whole

    def _write_index(self, files: Mapping[str, str], whole: bool) -> None:
        write_json(self._fs, self._index_path, {"whole": whole, "files": dict(files)})

    def _exists(self) -> bool:
        present = {file.name for file in self._list()}
        return bool(present) and self._is_whole() and self._made().keys() <= present

    def _describe(self) -> dict[str, Any]:
        return {"path": self._url}


def _write_file(url: str, name: str, job: Callable[[], bytes]) -> None:
    fs, folder = fsspec.url_to_fs(url)
    content = job()
    with whole_file(fs, posixpath.join(folder, name)) as path:
        fs.pipe_file(path, content)


def _walk_local(root: str) -> Iterator[str]:
    """Every file below `root`, through linked folders too, none of them twice."""
    entered: set[str] = set()
    for folder, folders, files in os.walk(root, followlinks=True):
        entered.add(os.path.realpath(folder))
        folders[:] = [name for name in folders if os.path.realpath(f"{folder}/{name}") not in entered]
        yield from (f"{folder}/{name}" for name in files)


def _printable(name: str) -> str:
    """A file name that tables can hold, also where its bytes are not UTF-8."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _modified_ns(info: Mapping[str, Any]) -> int:
    modified = info.get("mtime") or info.get("LastModified") or 0
    seconds = modified.timestamp() if hasattr(modified, "timestamp") else float(modified)
    return int(seconds * 1e9)
