"""The index of a folder that a dataset writes: its files and their fingerprints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fsspec import AbstractFileSystem

from xmodal_kedro.datasets.atomic import read_json, write_json
from xmodal_kedro.datasets.errors import DataError

SCHEME = 2
"""Version of fingerprints and indices. Version 0.1 of the project wrote the first one, without a number."""


def read_index(fs: AbstractFileSystem, path: str, url: str) -> dict[str, str] | None:
    """Fingerprints by the names of files or shards; None if there is no index.

    Raises:
        DataError: if a newer version of this project wrote it, or it is broken.
    """
    stored = read_stored_index(fs, path, url)
    if stored is None:
        return None
    found = stored.get("fingerprints") if "scheme" in stored else stored
    if not isinstance(found, dict):
        raise _broken(path)
    return found


def write_index(fs: AbstractFileSystem, path: str, fingerprints: Mapping[str, str]) -> None:
    """Store an index, atomically."""
    write_json(fs, path, {"scheme": SCHEME, "fingerprints": dict(fingerprints)})


def read_stored_index(fs: AbstractFileSystem, path: str, url: str) -> dict[str, Any] | None:
    """An index as it is stored; None if there is none.

    Raises:
        DataError: if a newer version of this project wrote it, or it is broken; names folder or file, and the remedy.
    """
    try:
        stored = read_json(fs, path)
    except ValueError as error:
        raise _broken(path) from error
    if stored is None:
        return None
    scheme = stored.get("scheme", 1) if isinstance(stored, dict) else None
    if not isinstance(stored, dict) or type(scheme) is not int:
        raise _broken(path)
    if scheme > SCHEME:
        raise DataError(
            f"{url} was stored by a newer version of xmodal-kedro (scheme {scheme}; this version knows {SCHEME}): "
            "upgrade, or set another --params data_root=FOLDER"
        )
    return stored


def _broken(path: str) -> DataError:
    return DataError(f"{path} is broken: delete it and run the pipeline that makes it; finished shards are kept")
