"""Errors that are not caused by the code."""

from __future__ import annotations

import errno
import os
import re
import tempfile
from collections.abc import Iterator


class UserError(ValueError):
    """An error that a user can correct: the message names the file, field or step, and the remedy.

    `kedro run` ends with that message. The traceback is shown only on request.
    """


class MachineError(RuntimeError):
    """The machine cannot do the work: no room for temporary files, no process. It says nothing of the file at hand.

    What it ends is tried again by the next run. The message names the place and the remedy.
    """


OF_THE_OUTSIDE = (UserError, MachineError, OSError, MemoryError, FloatingPointError)
"""Errors caused by files, parameters, storage or the machine. All others may be bugs."""

OF_THE_MACHINE = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
}
"""Numbers of errors that say nothing of the file at hand."""
DRIVERS = ("botocore", "aiobotocore", "aiohttp", "s3fs", "gcsfs", "adlfs", "azure", "google", "paramiko", "fsspec")
"""Packages that reach storage."""
OF_DISKS = "make room or give write access there"
REMEDIES = {
    errno.EMFILE: "allow more open files (`ulimit -n`), or take fewer workers (`engine` in globals.yml)",
    errno.ENFILE: "allow more open files, or take fewer workers (`engine` in globals.yml)",
    errno.ENOMEM: "take fewer workers (`engine` in globals.yml)",
    errno.EFBIG: "allow larger files (`ulimit -f`), or take a disk that holds them, which FAT does to 4 GB",
}
MAX_SHOWN = 300
_NUMBER = re.compile(r"os error (\d+)|\[Errno (\d+)\]|errno[:= ]+(\d+)", re.IGNORECASE)
_PHRASES = {
    "no space left on device": errno.ENOSPC,
    "disk is full": errno.ENOSPC,
    "disk quota exceeded": errno.EDQUOT,
    "read-only file system": errno.EROFS,
    "too many open files": errno.EMFILE,
    "input/output error": errno.EIO,
}


def fault_of_machine(error: BaseException, *, with_causes: bool = True) -> OSError | None:
    """The fault of the disk or the machine that an error of any library comes from, as an `OSError`; None if none does.

    Libraries that are not written in Python, such as safetensors and SQLite, have errors of their own, which name the
    system's in their text.
    """
    for each in _with_causes(error) if with_causes else (error,):
        if isinstance(each, OSError):
            if each.errno in OF_THE_MACHINE:
                return each
        elif (number := _stated_number(str(each))) is not None:
            return OSError(number, os.strerror(number))
    return None


def fault_of_storage(error: BaseException) -> str | None:
    """One line about a storage that cannot be reached, whose driver raises errors of its own; None for other errors."""
    for each in _with_causes(error):
        if is_of_driver(each):
            return (
                f"storage cannot be reached or refuses ({shortened(each)}): see that it works, and that addresses and "
                "credentials are right, and run again; what is finished is kept"
            )
    return None


def is_of_driver(error: BaseException) -> bool:
    """Whether it is an error of a driver of storage, many of which are no `OSError`."""
    return type(error).__module__.partition(".")[0] in DRIVERS


def is_of_storage(error: BaseException) -> bool:
    """Whether the system, a network or a driver is behind an error, which then says nothing of what a file holds.

    Libraries raise an `OSError` for broken content too, but without a number.
    """
    if fault_of_machine(error):
        return True
    return any(is_of_driver(each) or (isinstance(each, OSError) and bool(each.errno)) for each in _with_causes(error))


def shortened(error: BaseException) -> str:
    """An error in one line of limited length."""
    said = " ".join(f"{type(error).__name__}: {error}".split())
    return said if len(said) <= MAX_SHOWN else f"{said[:MAX_SHOWN]}…"


def describe_fault(error: BaseException, fault: OSError) -> str:
    """One line that says what a library could not do, why, and what helps."""
    reason = fault.strerror or os.strerror(fault.errno or errno.EIO)
    where = f"at {fault.filename}" if fault.filename else f"in data_root or TMPDIR ({tempfile.gettempdir()})"
    remedy = REMEDIES.get(fault.errno or 0, OF_DISKS)
    return f"{reason} {where}: {remedy}, and run again; what is finished is kept ({shortened(error)})"


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    left: BaseException | None = error
    while left is not None and id(left) not in seen:
        seen.add(id(left))
        yield left
        left = left.__cause__ or (None if left.__suppress_context__ else left.__context__)


def _stated_number(text: str) -> int | None:
    found = _NUMBER.search(text)
    number = int(next(filter(None, found.groups()))) if found else None
    if number in OF_THE_MACHINE or (found and found[1]):  # libraries in Rust: which say so of the system's errors alone
        return number
    return next((code for phrase, code in _PHRASES.items() if phrase in text.lower()), None)
