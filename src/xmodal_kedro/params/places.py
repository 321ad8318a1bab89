"""Run parameters that are no node's: where everything is."""

from __future__ import annotations

from .choices import BENCHMARKS

PLACES = frozenset({"source", "teachers", "truth", "data_root", *BENCHMARKS})
"""Run parameters that are paths, which the catalog reads. A benchmark's folder is set under its name."""
