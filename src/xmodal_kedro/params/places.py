"""Run parameters that are no node's: where everything is."""

from __future__ import annotations

from .choices import BENCHMARKS

AUTO = "auto"
"""In place of a benchmark's folder: where it is looked for by itself, fetched there if need be."""
PLACES = frozenset({"source", "teachers", "truth", "answers", "labelled", "examples", "data_root", *BENCHMARKS})
"""Run parameters that are paths, which the catalog reads. A benchmark's folder is set under its name."""


def own_or(given: str, otherwise: str) -> str:
    """A path that a user gave, or another one for `auto`; the resolver `own_or` of the catalog."""
    return otherwise if given == AUTO else given
