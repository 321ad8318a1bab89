"""Copies a remote file to local disk: within limits, with the reason where it fails, and waiting for room."""

from __future__ import annotations

import errno
import logging
import os
import random
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from fsspec.callbacks import Callback

from xmodal_kedro.errors import REMEDIES, MachineError, fault_of_machine
from xmodal_kedro.masking import masked

from .limits import Limits

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

logger = logging.getLogger(__name__)

PREFIX = "xmodal-"
"""Of folders for copies in `TMPDIR`."""
LOCK = ".lock"
"""A file in such a folder that is locked as long as its process lives."""
LOOKS_EVERY_S = 0.1
SAYS_AFTER_S = 10.0
"""What takes longer is said in the log, once."""
MAX_WAIT_FOR_ROOM_S = 600.0
"""How long other copies are waited for before there is said to be no room."""
TRIES_FOR_ROOM = 20


class TooLargeError(OSError):
    """The content exceeds the limit."""


@contextmanager
def folder_for_copy() -> Iterator[Path]:
    """A folder in `TMPDIR` that is removed when the block ends; one of a killed process is removed by another.

    Raises:
        MachineError: naming `TMPDIR`, if nothing can be written there.
    """
    try:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        stream = (folder / LOCK).open("wb")
    except OSError as error:
        raise MachineError(
            f"cannot write in TMPDIR ({_temporary()}): {error.strerror or error}: give write access and make room "
            "there, or set TMPDIR to another folder, of all workers"
        ) from error
    try:
        with stream:
            _lock(stream)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def fetch(get: Callable[[str, Callback], None], copy: Path, size_bytes: int, limits: Limits, name: str) -> None:
    """Copy a file, in a thread that is left behind if the storage does not answer.

    Args:
        get: makes the copy at a path, and reports to a callback what has come.
        copy: where; its folder is one of `folder_for_copy`.
        size_bytes: of the file; 0 if it is not known.
        limits: of patience, and of bytes.
        name: of the file, for messages.

    Raises:
        MachineError: there is no room in `TMPDIR`, also after other copies have ended.
        TimeoutError: less came than the limits want.
        TooLargeError: the content exceeds `limits.max_bytes`.
        Exception: what the storage's driver raises.
    """
    deadline = time.monotonic() + MAX_WAIT_FOR_ROOM_S
    for attempt in range(TRIES_FOR_ROOM):
        _wait_for_room(copy, size_bytes, deadline, name, tried=attempt > 0)
        try:
            _watched(get, copy, size_bytes, limits, name)
        except Exception as error:  # drivers have errors of their own
            fault = fault_of_machine(error) or _limit_of_disk(error)
            if fault is None:
                raise
            copy.unlink(missing_ok=True)
            if fault.errno not in (errno.ENOSPC, errno.EDQUOT) or attempt + 1 == TRIES_FOR_ROOM:
                raise _no_room(copy, size_bytes, name, fault) from error
            time.sleep(random.uniform(0.5, 1.5) * LOOKS_EVERY_S)  # two that want the same room do not meet again
        else:
            return


class _Progress(Callback):
    """What has come of a copy. It raises in the driver where the copy is to end."""

    def __init__(self, max_bytes: float) -> None:
        super().__init__()
        self.max_bytes = max_bytes
        self.came_bytes = 0
        self.given_up = False

    def relative_update(self, inc: int = 1) -> None:
        self.came_bytes += inc
        if self.given_up:
            raise TimeoutError(errno.ETIMEDOUT, "given up")
        if self.came_bytes > self.max_bytes:
            raise TooLargeError(errno.EFBIG, f"it has more than {self.max_bytes:,.0f} bytes")


def _watched(get: Callable[[str, Callback], None], copy: Path, size_bytes: int, limits: Limits, name: str) -> None:
    progress, failure = _Progress(limits.max_bytes), []
    ended = threading.Event()

    def run() -> None:
        try:
            get(str(copy), progress)
        except BaseException as error:  # raised below, in the thread that waits
            failure.append(error)
        ended.set()

    # It cannot be stopped, as drivers wait in their own ways, so it must not hold up the end of the process.
    threading.Thread(target=run, name=f"fetch {name}", daemon=True).start()
    began = since = time.monotonic()
    came_before, is_said = 0, False
    while not ended.wait(LOOKS_EVERY_S):
        now, came = time.monotonic(), max(progress.came_bytes, _size(copy))
        if not is_said and now - began > SAYS_AFTER_S:
            is_said = True
            of = f" of {size_bytes:,}" if size_bytes else ""
            logger.warning("%s: still being fetched after %.0f s, %s%s bytes came", name, now - began, f"{came:,}", of)
        if now - since >= limits.silence_s:
            if came - came_before < limits.bytes_in_silence:
                progress.given_up = True
                raise TimeoutError(
                    errno.ETIMEDOUT,
                    f"{came - came_before:,} bytes came in {limits.silence_s:g} s (`network` in globals.yml sets how "
                    "long a server may be silent, and how slow)",
                )
            since, came_before = now, came
    if failure:
        raise failure[0]


def _wait_for_room(copy: Path, size_bytes: int, deadline: float, name: str, tried: bool) -> None:
    """Return as soon as there may be room.

    Args:
        tried: whether there was none.

    Raises:
        MachineError: there is none, and nobody is known to make some.
    """
    is_said = False
    while tried or shutil.disk_usage(copy.parent).free <= size_bytes:
        if not _others(copy.parent) or time.monotonic() > deadline:
            if tried and size_bytes and shutil.disk_usage(copy.parent).free > size_bytes:
                return  # the others have ended
            raise _no_room(copy, size_bytes, name, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
        if not is_said:
            is_said = True
            logger.warning("%s: waits for room in TMPDIR (%s), until other copies are done", name, _temporary())
        time.sleep(LOOKS_EVERY_S)
        tried = False


def _others(own: Path) -> bool:
    """Whether another copy is there that will go away. Those of processes that were killed are removed."""
    found = False
    for folder in own.parent.glob(f"{PREFIX}*"):
        if folder == own:
            continue
        if _is_locked(folder / LOCK):
            found = True
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return found


def _limit_of_disk(error: Exception) -> OSError | None:
    """The error, if it is that a disk or the system holds no file so large. A limit of ours has the same number."""
    if isinstance(error, OSError) and error.errno == errno.EFBIG and not isinstance(error, TooLargeError):
        return error
    return None


def _no_room(copy: Path, size_bytes: int, name: str, fault: OSError) -> MachineError:
    wanted = f"{size_bytes:,} bytes are wanted" if size_bytes else "it does not say how many bytes it wants"
    free = shutil.disk_usage(copy.parent).free
    if fault.errno == errno.EFBIG:
        remedy = f"{REMEDIES[errno.EFBIG]}, as TMPDIR of all workers"
    else:
        remedy = "make room there, set TMPDIR of all workers to a larger disk, or take fewer workers (`engine` in "
        remedy += "globals.yml)"
        if 0 < size_bytes < free:
            remedy = f"perhaps a quota, or a number of files, is reached: {remedy}"
    return MachineError(
        f"no room in TMPDIR ({_temporary()}) for a copy of {masked(name)} ({fault.strerror or fault}): {wanted}, "
        f"{free:,} are free: {remedy}"
    )


def _temporary() -> str:
    return tempfile.gettempdir()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _lock(stream: IO[bytes]) -> None:
    if fcntl is not None:
        with suppress(OSError):  # a filesystem without locks: then nobody removes what a killed process leaves
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_locked(path: Path) -> bool:
    """Whether its process lives; true if that is not known."""
    if fcntl is None:
        return True
    try:
        with path.open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:  # just being made or removed
        return path.parent.exists()
    except OSError:
        return True
    return False
