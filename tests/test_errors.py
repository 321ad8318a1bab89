"""A full or broken disk is recognised in the errors of every library, and said in one line."""

from __future__ import annotations

import errno
import resource
import sqlite3
import tempfile
from pathlib import Path

import pytest
import torch
from fsspec.implementations.local import LocalFileSystem
from safetensors import SafetensorError
from safetensors.torch import save_file

from xmodal_kedro.cli.plain_run import plain_words
from xmodal_kedro.datasets.atomic import whole_file
from xmodal_kedro.datasets.attempts import attempt
from xmodal_kedro.errors import fault_of_machine


def wrapped(error: Exception) -> Exception:
    try:
        raise RuntimeError("could not") from error
    except RuntimeError as outer:
        return outer


@pytest.mark.parametrize(
    ("error", "number"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), errno.ENOSPC),
        (SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"), errno.ENOSPC),
        (sqlite3.OperationalError("database or disk is full"), errno.ENOSPC),
        (ValueError("write failed: [Errno 30] Read-only file system: 'x'"), errno.EROFS),
        (OSError(errno.EMFILE, "Too many open files"), errno.EMFILE),
    ],
)
def test_the_fault_is_found_in_the_errors_of_libraries(error: Exception, number: int) -> None:
    for each in (error, wrapped(error)):
        fault = fault_of_machine(each)
        assert fault is not None and fault.errno == number


@pytest.mark.parametrize(
    "error", [ValueError("axis 28"), FileNotFoundError(2, "No such file", "a"), KeyError("os error"), RuntimeError("")]
)
def test_other_errors_are_no_fault_of_the_machine(error: Exception) -> None:
    assert fault_of_machine(error) is None
    assert fault_of_machine(wrapped(error)) is None


def test_a_weights_file_on_a_full_disk_is_one_line(tmp_path: Path) -> None:
    place = tmp_path / "step.safetensors"
    with pytest.raises(OSError, match="cannot write") as raised, whole_file(LocalFileSystem(), str(place)) as partial:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))  # as a disk that has no more room
        try:
            save_file({"a": torch.zeros(1_000_000)}, partial)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert raised.value.errno == errno.EFBIG
    assert str(place) in str(raised.value)
    assert "\n" not in (plain_words(raised.value) or "\n")
    assert not list(tmp_path.iterdir())


def test_a_job_without_room_fails_in_one_line_without_a_traceback() -> None:
    def job() -> None:
        raise SafetensorError("Error while serializing:\nI/O error: No space left on device (os error 28)")

    done = attempt("0", job)
    assert not done.traceback
    assert "\n" not in done.failure
    assert tempfile.gettempdir() in done.failure
    assert "make room" in done.failure
