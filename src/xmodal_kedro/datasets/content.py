"""What a stored dataset holds, as a digest: two that are equal hold the same, whenever they were written."""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections.abc import Mapping
from glob import has_magic
from typing import Any, Protocol, TypedDict, runtime_checkable

from fsspec import AbstractFileSystem
from kedro.io import AbstractDataset, MemoryDataset

from xmodal_kedro.storage import storage_of

CHUNK_BYTES = 1 << 22
ABSENT = "absent"


class Known(TypedDict):
    """A file's content, and the version of the file that had it."""

    version: str
    content: str


@runtime_checkable
class HasContent(Protocol):
    """A dataset that can say itself what it holds."""

    def content(self) -> str | None:
        """Digest of what is stored; None if only a run can find out."""


def is_stored(dataset: AbstractDataset) -> bool:
    """Whether a dataset outlives the run."""
    return not isinstance(dataset, MemoryDataset)


def content_of(dataset: AbstractDataset, known: Mapping[str, Known]) -> tuple[str | None, dict[str, Known]]:
    """Digest of what a dataset holds, and of its file, for the next look; None if only a run can find out.

    A file is read only if its version is not the known one. Of a folder, the names, sizes and times of
    its files count, unless the dataset says itself what it holds.
    """
    if isinstance(dataset, HasContent):
        return dataset.content(), {}
    place = place_of(dataset)
    if not place or has_magic(place):
        return None, {}
    fs, path = storage_of(place)
    if fs.isdir(path):
        return listing(fs, path), {}
    if not fs.exists(path):
        return ABSENT, {}
    version = str(fs.ukey(path))
    if place in known and known[place]["version"] == version:
        return known[place]["content"], {place: known[place]}
    digest = hashlib.blake2b(digest_size=16)
    with fs.open(path, "rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest(), {place: {"version": version, "content": digest.hexdigest()}}


def place_of(dataset: AbstractDataset) -> str:
    """Path or URL of a dataset's file or folder; empty for a dataset in memory."""
    described = dataset._describe()
    place = str(described.get("path") or described.get("filepath") or "")
    protocol = described.get("protocol") or "file"  # datasets of kedro-datasets describe it separately
    return place if protocol == "file" or not place else f"{protocol}://{place}"


def listing(fs: AbstractFileSystem, folder: str) -> str:
    """Digest of the names and versions of the files below a folder."""
    fs.invalidate_cache(folder)
    files = fs.find(folder, detail=True)
    rows = sorted((posixpath.relpath(path, folder), _version(info)) for path, info in files.items())
    return hashlib.blake2b(json.dumps(rows).encode(), digest_size=16).hexdigest()


def _version(info: Mapping[str, Any]) -> list[str]:
    """What changes when a file does, of what file systems state."""
    return [
        str(info.get(name)) for name in ("size", "mtime", "ETag", "etag", "LastModified", "last_modified", "md5Hash")
    ]
