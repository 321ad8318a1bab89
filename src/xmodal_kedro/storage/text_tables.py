"""Tables of text as people save them: with any common encoding and separator, and any spelling of the header."""

from __future__ import annotations

import codecs
import csv
import io
import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

SEPARATORS = (",", ";", "\t")
"""That are looked for, the first of equals."""
FALLBACK = "cp1252"
"""What Excel writes in Western Europe and America unless it is asked for UTF-8."""
_EXCEL_HINT = re.compile(r'\s*"?sep=(.)"?\s*', re.IGNORECASE)
"""First line by which Excel is given the separator."""
_INVISIBLE = r"\s\ufeff\u200b\u200e\u200f"
_ENDS = re.compile(f"^[{_INVISIBLE}]+|[{_INVISIBLE}]+$")


class Decoded(NamedTuple):
    """A text, and the encoding that it was found to have."""

    text: str
    encoding: str


class Table(NamedTuple):
    """Cells of a table as text without spaces at their ends.

    Attributes:
        header: names of the columns as they are written; empty if the table has none.
        rows: those with any text; where there is a header, each has as many cells as it.
    """

    header: list[str]
    rows: list[list[str]]


def decode(content: bytes) -> Decoded:
    """The text of a file in UTF-8, UTF-16 or, if it is neither, Windows-1252, without a byte order mark.

    Raises:
        ValueError: if it is none of these.
    """
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    elif content[1:2] == b"\0" or content[:1] == b"\0":
        encoding = "utf-16-le" if content[1:2] == b"\0" else "utf-16-be"
    else:
        encoding = "utf-8-sig"
    try:
        text = content.decode(encoding)
        if encoding.startswith("utf-16") and not re.search("[\r\n -~]", text):
            raise ValueError("is not UTF-8 text (byte 0), though it begins as UTF-16 does")
        return Decoded(text, encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8-sig":
            raise ValueError(f"is not UTF-8 text, and no whole UTF-16 (byte {error.start})") from error
        try:
            return Decoded(content.decode(FALLBACK), FALLBACK)
        except UnicodeDecodeError:
            raise ValueError(f"is not UTF-8 text (byte {error.start})") from error


def read_table(text: str, wanted: Sequence[str] = (), separator: str | None = None, header: bool = True) -> Table:
    """The cells of a table.

    Args:
        wanted: columns by which the separator is recognised; without them it is the one that the header has most of.
        separator: between cells, if it is known.
        header: whether the first row names the columns.

    Raises:
        ValueError: if quotes do not close, or a row has more cells than the header.
    """
    text = text.removeprefix("\ufeff")
    first, _, rest = text.partition("\n")
    if hint := _EXCEL_HINT.fullmatch(first):
        text, separator = rest, hint[1]
    separator = separator or find_separator(text, wanted)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True)
    try:
        rows = [cells for row in reader if any(cells := [stripped(cell) for cell in row])]
    except csv.Error as error:
        raise ValueError(f"is no table (line {reader.line_num}: {error})") from error
    if not header or not rows:
        return Table([], rows)
    names, *rows = rows
    for number, row in enumerate(rows, start=1):
        if any(row[len(names) :]):
            raise ValueError(
                f"has more cells in row {number} than its header: put quotes around names that hold {separator!r}"
            )
    width = len(names)
    return Table(names, [row[:width] + [""] * (width - len(row)) for row in rows])


def stripped(cell: str) -> str:
    """A cell without spaces and invisible marks at its ends."""
    return _ENDS.sub("", cell)


def find_column(header: Sequence[str], name: str) -> int | None:
    """Place of the column `name`, whose name may be written in other case; None if there is none.

    Raises:
        ValueError: if several columns may be meant.
    """
    exact = [place for place, written in enumerate(header) if written == name]
    alike = exact or [place for place, written in enumerate(header) if _folded(written) == _folded(name)]
    if len(alike) > 1:
        raise ValueError(f"has {len(alike)} columns {name}: {', '.join(repr(header[place]) for place in alike)}")
    return alike[0] if alike else None


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", stripped(name)).casefold()


def find_separator(text: str, wanted: Sequence[str]) -> str:
    """What divides the cells of the first row: that by which most wanted columns are found, else most columns."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    names = {_folded(name) for name in wanted}

    def score(separator: str) -> tuple[int, int]:
        cells = next(csv.reader([first], delimiter=separator, skipinitialspace=True), [])
        return len(names & {_folded(cell) for cell in cells}), len(cells)

    return max(SEPARATORS, key=score)
