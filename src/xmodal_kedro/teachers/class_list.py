"""The names of a teacher's classes, as its file lists them."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from xmodal_kedro.errors import UserError
from xmodal_kedro.storage import FileRef

NAME_COLUMN = "display_name"
ID_COLUMN = "mid"


class ClassName(NamedTuple):
    """A class of a teacher."""

    label: str
    audioset_id: str
    """Its id in the AudioSet ontology; empty if the list has none."""


def read_class_list(file: FileRef) -> tuple[ClassName, ...]:
    """Classes in the order of the teacher's output, with unique names (see `distinct`).

    Args:
        file: one name on each line, or a `.csv` with a column `display_name` and optionally a column `mid` of AudioSet
            ids, as in the class lists released with AudioSet.

    Raises:
        UserError: naming the file, if it is not UTF-8 text, lacks the column, or has an empty name.
    """
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"class list {file.name!r} is not UTF-8 text: save it as UTF-8") from error
    lines = text.splitlines()
    if file.name.lower().endswith(".csv"):
        names, ids = _csv_columns(lines, file.name)
    else:
        names, ids = [line.strip() for line in lines], [""] * len(lines)
    if not names:
        raise UserError(f"class list {file.name!r} is empty: write one class name a line")
    if "" in names:
        raise UserError(f"class list {file.name!r} has no name for class {names.index('')}: write one name a line")
    return tuple(map(ClassName, distinct(names), ids))


def distinct(names: Sequence[str]) -> tuple[str, ...]:
    """The names; one that several classes share (ImageNet has two cranes) gets its position appended."""
    uses = Counter(names)
    return tuple(name if uses[name] == 1 else f"{name} [{index}]" for index, name in enumerate(names))


def _csv_columns(lines: list[str], file_name: str) -> tuple[list[str], list[str]]:
    rows = csv.DictReader(lines)
    if NAME_COLUMN not in (rows.fieldnames or ()):
        raise UserError(
            f"class list {file_name!r} has no column {NAME_COLUMN!r} (it has {list(rows.fieldnames or ())}): "
            "rename the column of the class names"
        )
    classes = [((row[NAME_COLUMN] or "").strip(), (row.get(ID_COLUMN) or "").strip()) for row in rows]
    return [name for name, _ in classes], [audioset_id for _, audioset_id in classes]
