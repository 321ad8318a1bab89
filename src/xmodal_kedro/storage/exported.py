"""Protocol of jobs that write files for other tools."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple


class ExportedFile(NamedTuple):
    """A file to be written.

    Attributes:
        name: path relative to the dataset's folder, with forward slashes, without empty, `.` and `..` parts.
        content: its bytes in pieces, which are written as they come. It is consumed before the next file is asked for.
    """

    name: str
    content: Iterable[bytes]


FileJobs = dict[str, Callable[[], Iterator[ExportedFile]]]
"""Jobs by key; each makes some files. Two jobs do not make one file."""
