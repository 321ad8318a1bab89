"""What hooks ask of a catalog."""

from __future__ import annotations

from kedro.io import AbstractDataset


def location(dataset: AbstractDataset) -> str:
    """Path or URL of a dataset's file or folder; empty for one that is in no storage."""
    described = dataset._describe()
    return str(described.get("path") or described.get("filepath") or "")


def is_parameter(name: str) -> bool:
    """Whether a name in the catalog is a parameter's."""
    return name == "parameters" or name.startswith("params:")
