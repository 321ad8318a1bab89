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
        DataError: if a newer version of this project wrote it.
    """
    stored = read_json(fs, path)
    return None if stored is None else require_known_scheme(stored, url).get("fingerprints", stored)


def write_index(fs: AbstractFileSystem, path: str, fingerprints: Mapping[str, str]) -> None:
    """Store an index, atomically."""
    write_json(fs, path, {"scheme": SCHEME, "fingerprints": dict(fingerprints)})


def require_known_scheme(stored: dict[str, Any], url: str) -> dict[str, Any]:
    """Check and return what was read of an index.

    Raises:
        DataError: if a newer version of this project wrote it, naming the folder and the remedy.
    """
    scheme = stored.get("scheme", 1)
    if isinstance(scheme, int) and scheme > SCHEME:
        raise DataError(
            f"{url} was stored by a newer version of xmodal-kedro (scheme {scheme}; this version knows {SCHEME}): "
            "upgrade, or set another --params data_root=FOLDER"
        )
    return stored
