"""What a stored dataset holds, as a digest: two that are equal hold the same, whenever they were written."""

from __future__ import annotations

import hashlib
import json
import logging
import posixpath
from collections.abc import Mapping
from glob import has_magic
from pathlib import Path
from typing import Any, Protocol, TypedDict, runtime_checkable

from fsspec import AbstractFileSystem
from kedro.io import AbstractDataset, MemoryDataset

from xmodal_kedro.datasets.digest import digest
from xmodal_kedro.masking import masked
from xmodal_kedro.storage import storage_of

logger = logging.getLogger(__name__)

CHUNK_BYTES = 1 << 22
ABSENT = "absent"
VERSION_FIELDS = ("mtime", "ETag", "etag", "LastModified", "last_modified", "md5Hash")
"""What changes when a file does, of what file systems state."""


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
    its files count, unless the dataset says itself what it holds. Where storage cannot be looked into, a run finds out,
    and says what is wrong.
    """
    try:
        return _content_of(dataset, known)
    except Exception as error:  # storage drivers raise errors of their own types
        logger.debug("cannot look into %s: %s", type(dataset).__name__, masked(str(error)))
        return None, {}


def _content_of(dataset: AbstractDataset, known: Mapping[str, Known]) -> tuple[str | None, dict[str, Known]]:
    if isinstance(dataset, HasContent):
        return dataset.content(), {}
    place = place_of(dataset)
    if not place or has_magic(place):
        return None, {}
    fs, path = storage_of(place)
    fs.invalidate_cache(path)  # another process or dataset may have written it
    if fs.isdir(path):
        return listing(fs, path), {}
    if not fs.exists(path):
        return ABSENT, {}
    version = str(fs.ukey(path))
    if place in known and known[place]["version"] == version:
        return known[place]["content"], {place: known[place]}
    hashed = hashlib.blake2b(digest_size=16)
    with fs.open(path, "rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            hashed.update(chunk)
    return hashed.hexdigest(), {place: {"version": version, "content": hashed.hexdigest()}}


def place_of(dataset: AbstractDataset) -> str:
    """Path or URL of a dataset's file or folder; empty for a dataset in memory."""
    described = dataset._describe()
    place = str(described.get("path") or described.get("filepath") or "")
    protocol = described.get("protocol") or "file"  # datasets of kedro-datasets describe it separately
    return place if protocol == "file" or not place else f"{protocol}://{place}"


def read_note(dataset: AbstractDataset) -> Any:
    """What a node has recorded beside a dataset, see `storage.Folder.note`; None if nothing, or it cannot be read."""
    try:
        note = getattr(dataset, "note", None)
        return note.read() if note else None
    except Exception as error:  # storage drivers raise errors of their own types
        logger.debug("cannot read the note of %s: %s", place_of(dataset), masked(str(error)))
        return None


def listing(fs: AbstractFileSystem, folder: str) -> str | None:
    """Digest of the names and versions of the files below a folder; None if storage does not state all versions."""
    fs.invalidate_cache(folder)
    files = fs.find(folder, detail=True)
    versions = {posixpath.relpath(path, folder): _version(path, info) for path, info in files.items()}
    if None in versions.values():
        return None
    return digest(json.dumps(sorted(versions.items())))


def _version(path: str, info: Mapping[str, Any]) -> list[str] | None:
    """What changes when a file does; None if that is not known, as of a linked folder, which is not listed."""
    if info.get("islink"):  # the time is that of the link
        if not Path(path).is_file():
            return None
        info = {"size": info.get("size"), "mtime": Path(path).stat().st_mtime}
    stated = [str(info.get(name) or "") for name in VERSION_FIELDS]
    return [str(info.get("size")), *stated] if any(stated) else None
