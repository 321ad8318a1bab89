"""What hooks ask of a catalog."""

from __future__ import annotations

import posixpath

import fsspec
from kedro.io import AbstractDataset

from xmodal_kedro.datasets.atomic import is_local


def location(dataset: AbstractDataset) -> str:
    """Path or URL of a dataset's file or folder; empty for one that is in no storage."""
    described = dataset._describe()
    place = str(described.get("path") or described.get("filepath") or "")
    protocol = described.get("protocol") or "file"  # datasets of kedro-datasets tell it apart
    return place if protocol == "file" or not place else f"{protocol}://{place}"


def is_parameter(name: str) -> bool:
    """Whether a name in the catalog is a parameter's."""
    return name == "parameters" or name.startswith("params:")


def local_file(place: str, folder: str) -> str:
    """A path of this machine to a file in any storage: its own, or that of a copy in `folder`."""
    fs, path = fsspec.url_to_fs(place)
    if is_local(fs):
        return str(path)
    copy = posixpath.join(folder, posixpath.basename(path))
    fs.get_file(path, copy)
    return copy
