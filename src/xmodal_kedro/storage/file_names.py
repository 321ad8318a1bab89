"""Names of files as people write them in tables, against how the files are called."""

from __future__ import annotations

import posixpath
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable


def as_path(name: str) -> str:
    """The path that a name spells, with forward slashes, and without `.` and `..` inside."""
    return posixpath.normpath(name.replace("\\", "/")) if name else name


def composed(name: str) -> str:
    """The path with composed letters (NFC), and without spaces at the ends."""
    return unicodedata.normalize("NFC", as_path(name.strip()))


def folded(name: str) -> str:
    """The composed path without capitals."""
    return unicodedata.normalize("NFC", composed(name).casefold())


WAYS: tuple[Callable[[str], str], ...] = (str, as_path, composed, folded)
"""By which two names may be the same, the strictest first."""


class FileNames:
    """Finds files by names that may be written in another way than the files are called.

    Ways that are tried, each only if those before find nothing: as it is called; as another spelling of the same path
    (`./a.wav`, `b\\a.wav`, a path that begins with the folder's); with letters composed of other code points (NFC, NFD)
    or spaces at the ends; with capitals in other places.

    Args:
        names: of the files, with forward slashes, relative to the folder.
        root: absolute path of the folder.
    """

    def __init__(self, names: Iterable[str], root: str = "") -> None:
        self._names = list(names)
        self._root = root.rstrip("/") + "/"
        self._found: list[dict[str, list[str]]] = []
        for way in WAYS:
            found: defaultdict[str, list[str]] = defaultdict(list)
            for name in self._names:
                found[way(name)].append(name)
            self._found.append(dict(found))

    def find(self, written: str) -> list[str]:
        """The files that a name may mean: one if it is clear, several if not, none if there is no such file."""
        inside = written.replace("\\", "/").removeprefix(self._root)
        for way, found in zip(WAYS, self._found, strict=True):
            if names := found.get(way(written)) or found.get(way(inside)):
                return names
        return []

    def look_alike(self, written: str, others: Collection[str] = ()) -> str | None:
        """A file that a reader may take for the one that is written, though no way of `find` leads to it.

        Args:
            others: files that are known to be meant by other names.
        """
        candidates = (name for name in self._names if name not in others)
        return next((name for name in candidates if looks_alike(composed(name), composed(written))), None)


def looks_alike(one: str, other: str) -> bool:
    """Whether two names are the same to the eye, or but for accents, capitals, signs and letters of other alphabets."""
    if _skeleton(one) == _skeleton(other):
        return True
    pairs = list(zip(one, other, strict=False))
    return len(one) == len(other) and all(a == b or a.isascii() != b.isascii() for a, b in pairs)


def escaped(name: str) -> str:
    """A name in quotes in which all that is not plain ASCII is seen as code points."""
    return ascii(name)


def _skeleton(name: str) -> str:
    parts = unicodedata.normalize("NFKD", name).casefold()
    return "".join(letter for letter in parts if letter.isalnum() or letter == "/")
