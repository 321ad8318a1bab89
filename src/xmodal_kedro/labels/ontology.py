"""The AudioSet ontology: which sounds are kinds of others (Gemmeke et al., "Audio Set", ICASSP 2017)."""

from __future__ import annotations

import json
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from typing import Any

import pandas as pd

from xmodal_kedro.errors import UserError
from xmodal_kedro.storage import FileRef

COLUMNS = ("audioset_id", "name", "parents", "abstract")
FIELDS = {"id": str, "name": str, "child_ids": list, "restrictions": list}
REMEDY = "replace it by ontology.json as AudioSet releases it"


def empty_ontology() -> pd.DataFrame:
    """`SoundOntology` without classes: no sound has parents."""
    return pd.DataFrame({name: pd.Series(dtype=bool if name == "abstract" else str) for name in COLUMNS})


def read_ontology(file: FileRef) -> pd.DataFrame:
    """The classes of `ontology.json`, in its order.

    A class is abstract if the file marks it so, or if it is on the file's blacklist of classes that were not rated and
    has children: `Sounds of things` only groups other classes.

    Returns:
        `SoundOntology`.

    Raises:
        UserError: naming the file and the class, if it is not such a list, a field is missing, an id occurs twice or is
            a child without a class of its own, or a class is its own ancestor.
    """
    classes = _classes(file)
    parents: dict[str, list[str]] = {entry["id"]: [] for entry in classes}
    _require_unique(classes, file.name)
    for entry in classes:
        for child in entry["child_ids"]:
            if child not in parents:
                raise UserError(
                    f"{file.name!r}: {entry['name']!r} has the child {child!r}, which is not a class: {REMEDY}"
                )
            parents[child].append(entry["id"])
    _require_no_cycle(parents, file.name)
    rows = [(entry["id"], entry["name"], ",".join(parents[entry["id"]]), _is_abstract(entry)) for entry in classes]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _classes(file: FileRef) -> list[dict[str, Any]]:
    try:
        classes = json.loads(file.read_bytes())
    except ValueError as error:  # of JSON, or of its encoding
        raise UserError(f"{file.name!r} is not JSON ({error}): {REMEDY}") from error
    if not isinstance(classes, list) or not classes:
        raise UserError(f"{file.name!r} is not a list of classes: {REMEDY}")
    for position, entry in enumerate(classes):
        for field, kind in FIELDS.items():
            if not (isinstance(entry, dict) and isinstance(entry.get(field), kind)):
                raise UserError(f"{file.name!r}: class {position} has no {field!r}: {REMEDY}")
    return classes


def _require_unique(classes: list[dict[str, Any]], file_name: str) -> None:
    audioset_id, uses = Counter(entry["id"] for entry in classes).most_common(1)[0]
    if uses > 1:
        raise UserError(f"{file_name!r} has {uses} classes of the id {audioset_id!r}: {REMEDY}")


def _require_no_cycle(parents: dict[str, list[str]], file_name: str) -> None:
    try:
        TopologicalSorter(parents).prepare()
    except CycleError as error:
        raise UserError(
            f"{file_name!r}: a class is its own ancestor ({' > '.join(error.args[1])}): {REMEDY}"
        ) from error


def _is_abstract(entry: dict[str, Any]) -> bool:
    restrictions = entry["restrictions"]
    return "abstract" in restrictions or ("blacklist" in restrictions and bool(entry["child_ids"]))
