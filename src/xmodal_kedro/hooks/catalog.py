"""Look-ups in a catalog, shared by the hooks."""

from __future__ import annotations

import posixpath

import fsspec

from xmodal_kedro.datasets.atomic import is_local


def is_parameter(name: str) -> bool:
    """Whether a name in the catalog is that of a parameter."""
    return name == "parameters" or name.startswith("params:")


def local_copy(place: str, folder: str) -> str:
    """As `local_file`, of a file or a whole folder."""
    fs, path = fsspec.url_to_fs(place)
    if not fs.isdir(path):
        return local_file(place, folder)
    if is_local(fs):
        return str(path)
    copy = posixpath.join(folder, posixpath.basename(path.rstrip("/")))
    fs.get(path, copy, recursive=True)
    return copy


def local_file(place: str, folder: str) -> str:
    """Local path of a file in any storage; a remote file is copied into `folder`."""
    fs, path = fsspec.url_to_fs(place)
    if is_local(fs):
        return str(path)
    copy = posixpath.join(folder, posixpath.basename(path))
    fs.get_file(path, copy)
    return copy
