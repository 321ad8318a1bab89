"""Atomic writes to any fsspec storage: no partly written file is ever visible."""

from __future__ import annotations

import json
import posixpath
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fsspec import AbstractFileSystem

PARTIAL_PREFIX = ".partial-"


@contextmanager
def whole_file(fs: AbstractFileSystem, path: str) -> Iterator[str]:
    """Yield a temporary path beside `path`. If the block ends without an error, the file there replaces `path`.

    Raises:
        OSError: naming the path and the remedy, if storage is full or cannot be written.
    """
    parent = posixpath.dirname(path)
    partial_path = posixpath.join(parent, f"{PARTIAL_PREFIX}{posixpath.basename(path)}-{uuid.uuid4().hex}")
    try:
        fs.makedirs(parent, exist_ok=True)
        yield partial_path
        fs.mv(partial_path, path)
    except OSError as error:
        _remove(fs, partial_path)
        raise OSError(
            error.errno,
            f"cannot write {path} ({error.strerror or error}): make room or give write access there, or set another "
            "--params data_root=FOLDER, and run again; what is finished is kept",
        ) from error
    except BaseException:
        _remove(fs, partial_path)
        raise


@contextmanager
def usual_mode(path: str) -> Iterator[None]:
    """Give a local file that the block writes the mode of all other files, by the umask.

    safetensors makes its files readable by their owner alone.
    """
    file = Path(path)
    file.touch()
    mode = stat.S_IMODE(file.stat().st_mode)
    yield
    file.chmod(mode)


def sweep(fs: AbstractFileSystem, folder: str, name: str = "") -> None:
    """Remove the partial files in `folder` of writers of `name` (by default, of any file) that were killed.

    The cached listing of `fs` is invalidated, as other processes may have written there.
    """
    fs.invalidate_cache(folder)
    if fs.isdir(folder):
        for path in fs.ls(folder, detail=False):
            if posixpath.basename(path).startswith(PARTIAL_PREFIX + name):
                _remove(fs, path)


def write_json(fs: AbstractFileSystem, path: str, value: Any) -> None:
    """Store `value` as JSON, atomically."""
    with whole_file(fs, path) as partial_path:
        fs.pipe_file(partial_path, json.dumps(value, indent=1, sort_keys=True).encode())


def read_json(fs: AbstractFileSystem, path: str) -> Any:
    """The JSON value at `path`; None if there is no file."""
    return json.loads(fs.cat_file(path)) if fs.isfile(path) else None


def is_local(fs: AbstractFileSystem) -> bool:
    """Whether `fs` is the local filesystem."""
    return "file" in (fs.protocol if isinstance(fs.protocol, tuple) else (fs.protocol,))


def _remove(fs: AbstractFileSystem, path: str) -> None:
    try:
        if fs.exists(path):
            fs.rm_file(path)
    except OSError:
        pass  # the original error is reported
