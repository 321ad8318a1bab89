"""The names of a teacher's classes, as its file lists them."""

from __future__ import annotations

import csv
from collections import Counter

from xmodal_kedro.handles import FileRef

NAME_COLUMN = "display_name"


def read_class_list(file: FileRef) -> tuple[str, ...]:
    """Class names in the order of the teacher's output.

    A name that stands for several classes (ImageNet has two cranes) gets the position appended in each place, so that
    names identify classes.

    Args:
        file: one name a line, or a `.csv` with a column `display_name`.

    Raises:
        ValueError: naming the file, if it is no UTF-8 text, has no such column, or an empty name.
    """
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"class list {file.name!r} is not UTF-8 text: save it as UTF-8") from error
    lines = text.splitlines()
    names = _csv_names(lines, file.name) if file.name.lower().endswith(".csv") else [line.strip() for line in lines]
    if not names:
        raise ValueError(f"class list {file.name!r} is empty: write one class name a line")
    if "" in names:
        raise ValueError(f"class list {file.name!r} has no name for class {names.index('')}: write one name a line")
    uses = Counter(names)
    return tuple(name if uses[name] == 1 else f"{name} [{index}]" for index, name in enumerate(names))


def _csv_names(lines: list[str], file_name: str) -> list[str]:
    rows = csv.DictReader(lines)
    if NAME_COLUMN not in (rows.fieldnames or ()):
        raise ValueError(
            f"class list {file_name!r} has no column {NAME_COLUMN!r} (it has {list(rows.fieldnames or ())}): "
            "rename the column of the class names"
        )
    return [(row[NAME_COLUMN] or "").strip() for row in rows]
