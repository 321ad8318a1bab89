"""Atomic writes to any fsspec storage: no partly written file is ever visible."""

from __future__ import annotations

import errno
import json
import posixpath
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fsspec import AbstractFileSystem

from xmodal_kedro.errors import OF_DISKS, REMEDIES, MachineError, fault_of_machine, is_of_driver, shortened
from xmodal_kedro.masking import masked

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
    except MachineError:  # of what is written there, such as of a copy in TMPDIR: it says all itself
        _remove(fs, partial_path)
        raise
    except Exception as error:  # libraries that write have errors of their own
        _remove(fs, partial_path)
        fault = error if isinstance(error, OSError) else fault_of_machine(error, with_causes=False)
        if fault is None and is_of_driver(error):
            fault = OSError(errno.EIO, shortened(error))
        if fault is None:
            raise
        raise OSError(
            fault.errno,
            f"cannot write {masked(path)} ({masked(str(fault.strerror or fault))}): {_remedy(fault)}, or set another "
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


def _remedy(fault: OSError) -> str:
    if fault.errno == errno.ENOENT:
        return "it was removed while it was written; see that no other run or program changes that folder"
    if fault.errno in (errno.EIO, errno.ETIMEDOUT):
        return "see that this disk or storage works and can be reached"
    return REMEDIES.get(fault.errno or 0, OF_DISKS)


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
    except Exception:  # drivers of storage have errors of their own
        pass  # the original error is reported
