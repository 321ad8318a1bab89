"""Lazy references to files and folders."""

from __future__ import annotations

import errno
import hashlib
import io
import logging
import math
import os
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from fsspec.callbacks import Callback

from xmodal_kedro.errors import MachineError
from xmodal_kedro.masking import masked, masked_value

from .fetching import TooLargeError, fetch, folder_for_copy
from .limits import DEFAULT_LIMITS, Limits
from .network import RedirectError, StalledError, network_fault, one_line
from .urls import S3_PROTOCOLS, local_path, protocol_of, storage_of

logger = logging.getLogger(__name__)

FETCH_ATTEMPTS = 3
"""Max attempts to fetch a remote file."""
FETCH_PAUSE_S = 0.5
"""Pause after the first failed attempt, seconds. It doubles after each further one."""
FETCH_BLOCK_BYTES = 8 << 20
LASTING = (FileNotFoundError, PermissionError, ImportError, TimeoutError, StalledError, RedirectError)
"""Faults that another attempt would meet again."""

MAX_SUFFIX = 16


@dataclass(frozen=True)
class FileRef:
    """A file in a `Folder`.

    Attributes:
        name: path relative to the folder, with forward slashes.
        path: local path or fsspec URL.
        size_bytes: size when the folder was listed; 0 if storage does not report it.
        modified_ns: time of last modification, nanoseconds since the epoch; 0 if storage does not report it.
        version: an object store's identifier of the content, such as its ETag.
        storage_options: fsspec's options to open it. They hold secrets: they are never shown, and are not part of the
            file's identity.
        limits: how patient to be with storage; not part of its identity either.
    """

    name: str
    path: str
    size_bytes: int
    modified_ns: int
    version: str = ""
    storage_options: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    limits: Limits = field(default=DEFAULT_LIMITS, repr=False, compare=False)

    @property
    def shown(self) -> str:
        """The path or URL without secrets, for messages."""
        return masked_value(self.path)

    @property
    def fingerprint(self) -> str:
        """Name and SHA-256 of the content, so that a moved or touched but equal file stays the same input."""
        return f"{self.name}:{self.sha256}"

    @property
    def listing_mark(self) -> str:
        """What the listing reports of the content: a corpus is not read to find out whether it has changed."""
        return f"{self.name}:{self.size_bytes}:{self.modified_ns}:{self.version}"

    @property
    def sha256(self) -> str:
        """Hex SHA-256 of the content, computed once per process for a given size and time of modification."""
        return _sha256(self)

    def open(self) -> io.BufferedIOBase:
        """The content as a binary stream."""
        if (path := local_path(self.path)) is not None:
            return _require_regular(path).open("rb")
        fs, path = storage_of(self.path, self.storage_options, self.limits)
        stream: io.BufferedIOBase = fs.open(path, "rb", block_size=FETCH_BLOCK_BYTES)
        return stream

    def read_bytes(self) -> bytes:
        """The whole content."""
        with self.open() as stream:
            return stream.read()

    @contextmanager
    def fetched(self, max_bytes: float = math.inf) -> Iterator[str]:
        """A local path to the content: that of a local file, or of a copy that is removed when the block ends.

        The copy is in a separate folder below the system's folder for temporary files, `TMPDIR`.

        Args:
            max_bytes: max size of a copy: if storage does not report a size, the content may never end.

        Raises:
            OSError: naming the address, if it is not a regular file or cannot be fetched completely; with
                `errno.EFBIG`, if it has more than `max_bytes`.
            MachineError: naming `TMPDIR`, if there is no room for a copy, which is not the file's fault.
        """
        if (path := local_path(self.path)) is not None:
            yield str(_require_regular(path))
            return
        with folder_for_copy() as folder:
            suffix = PurePosixPath(self.path).suffix
            copy = folder / f"copy{suffix if len(suffix) <= MAX_SUFFIX else ''}"
            self._fetch(copy, replace(self.limits, max_bytes=max_bytes))
            yield str(copy)

    def is_withheld(self, error: BaseException) -> bool:
        """Whether `fetched` raised an error of storage that may give the file another time."""
        of_this = isinstance(error, OSError) and error.filename == self.shown and local_path(self.path) is None
        return of_this and not isinstance(error, FileNotFoundError | PermissionError)

    def _fetch(self, copy: Path, limits: Limits) -> None:
        for attempt in range(1, FETCH_ATTEMPTS + 1):
            try:
                fetch(self._get, copy, self.size_bytes, limits, masked(self.name))
                self._require_whole(copy)
            except (MachineError, TooLargeError):
                raise
            except Exception as error:  # storage drivers raise errors of their own types
                fault = network_fault(error)
            else:
                return
            if isinstance(fault, LASTING):
                break
            if attempt < FETCH_ATTEMPTS:
                logger.warning("%s: attempt %d failed (%s), trying again", masked(self.name), attempt, _describe(fault))
                time.sleep(FETCH_PAUSE_S * 2 ** (attempt - 1))
        if isinstance(fault, FileNotFoundError):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), self.shown) from fault
        code = fault.errno if isinstance(fault, OSError) and fault.errno else errno.EIO
        raise OSError(code, f"it cannot be fetched: {_describe(fault)}", self.shown) from fault

    def _get(self, copy: str, callback: Callback) -> None:
        fs, path = storage_of(self.path, self.storage_options, self.limits, copies=True)
        in_order = {"max_concurrency": 1} if protocol_of(self.path) in S3_PROTOCOLS else {}  # so that progress is seen
        fs.get_file(path, copy, callback=callback, **in_order)

    def _require_whole(self, copy: Path) -> None:
        fetched_bytes = copy.stat().st_size
        if self.size_bytes and fetched_bytes != self.size_bytes:
            raise OSError(errno.EIO, f"{fetched_bytes} bytes were fetched, {self.size_bytes} were listed")


def sha256_of(path: str) -> str:
    """Hex SHA-256 of a local file, such as the copy that `FileRef.fetched` made."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@lru_cache(maxsize=4096)
def _sha256(file: FileRef) -> str:
    with file.fetched() as path:
        return sha256_of(path)


def _require_regular(path: str) -> Path:
    """The path of a regular file. Others are refused, as opening a pipe or a device may block forever.

    Raises:
        OSError: if there is no regular file.
    """
    file = Path(path)
    if not stat.S_ISREG(file.stat().st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file", path)
    return file


def _describe(error: Exception) -> str:
    return one_line(getattr(error, "strerror", None) or f"{type(error).__name__}: {error}")


class Note(Protocol):
    """A record of a few facts, kept from run to run."""

    @property
    def path(self) -> str:
        """Where it is stored, for messages."""

    def read(self) -> dict[str, Any] | None:
        """What is recorded; None if nothing is."""

    def write(self, facts: dict[str, Any]) -> None:
        """Record JSON-able facts, atomically, in place of the earlier ones."""


class Folder(Mapping[str, FileRef]):
    """The files below a folder, by relative name in sorted order."""

    def __init__(self, root: str, files: Mapping[str, FileRef], note: Note | None = None) -> None:
        """
        Args:
            root: path or URL of the folder.
            files: by name.
            note: where is recorded what is used of it.
        """
        self.root = root
        self.note = note
        self._files = dict(sorted(files.items()))

    def __getitem__(self, name: str) -> FileRef:
        return self._files[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def file(self, name: str) -> FileRef:
        """The file `name`.

        Raises:
            FileNotFoundError: naming the folder and the file, if it is not there.
        """
        if name not in self._files:
            raise FileNotFoundError(f"{self.root} has no file {name!r}: put it there, or name another folder or file")
        return self._files[name]

    def __repr__(self) -> str:
        return f"Folder({self.root!r}, {len(self)} files)"
