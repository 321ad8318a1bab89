"""What datasets hand to nodes in place of bytes: lazy files, folders and shards.

A node never touches storage. It receives these handles, and returns callables that use them later, in the
worker that needs the bytes. All of them pickle small and know a fingerprint of the content they stand for.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    import torch


class LoadShard(Protocol):
    """One stored shard, read on demand."""

    @property
    def fingerprint(self) -> str:
        """Fingerprint of what made the shard: equal fingerprints mean equal content."""

    @property
    def num_rows(self) -> int:
        """Rows in the shard, read from its footer."""

    @property
    def metadata(self) -> dict[str, str]:
        """Key-value metadata that the shard's maker put on its table's schema."""

    def __call__(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Read the shard, or just `columns` of it."""

    def open(self) -> pq.ParquetFile:
        """The Parquet file itself, for reading row group by row group. The caller closes it."""


Shards = Mapping[str, LoadShard]
ShardJobs = dict[str, Callable[[], pa.Table]]


class Checkpoints(Protocol):
    """Where a long training keeps its state."""

    def load(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]] | None:
        """Tensors and JSON-able state of the newest whole checkpoint; None before the first one."""

    def save(self, tensors: dict[str, torch.Tensor], state: dict[str, Any]) -> None:
        """Store a checkpoint in the place of the one before, whole or not at all."""


@dataclass(frozen=True)
class FileRef:
    """A file in a `Folder`.

    Attributes:
        name: path relative to the folder, with forward slashes.
        path: absolute path or fsspec URL.
        size_bytes: size when the folder was listed.
        modified_ns: time of last modification, nanoseconds since the epoch; 0 where storage does not say.
    """

    name: str
    path: str
    size_bytes: int
    modified_ns: int

    @property
    def fingerprint(self) -> str:
        """Name and SHA-256 of the content, so that a moved or touched but equal file stays the same input."""
        return f"{self.name}:{self.sha256}"

    @property
    def sha256(self) -> str:
        """Hex SHA-256 of the content; read once a process for a given size and time of modification."""
        return _sha256(self.path, self.size_bytes, self.modified_ns)

    def open(self) -> io.BufferedIOBase:
        """The content as a binary stream."""
        return _open(self.path)

    def read_bytes(self) -> bytes:
        """The whole content."""
        with self.open() as stream:
            return stream.read()


def _open(path: str) -> io.BufferedIOBase:
    if "://" not in path:  # fsspec would read more into a name such as a::b.mp4
        return Path(path).open("rb")
    stream: io.BufferedIOBase = fsspec.open(path, "rb").open()
    return stream


@lru_cache(maxsize=4096)
def _sha256(path: str, _size_bytes: int, _modified_ns: int) -> str:
    with _open(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class Folder(Mapping[str, FileRef]):
    """The files below a folder, by relative name in sorted order."""

    def __init__(self, root: str, files: Mapping[str, FileRef]) -> None:
        self.root = root
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
