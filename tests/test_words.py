"""Words that this project does not use, as the field has others; in code, documents and reports."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.project import PROJECT

WORDS = {
    r"(?i)\b(told|telling)\b|(?<![.\w-])\btells?\b(?![(-])": "reported, returns, known",
    r"\b(Reel|Tape|Ears|Heard|Listener)\b": "VideoTrack, AudioBuffer, AudioModel, Prediction, callback",
    r"\b_?(MOST|LEAST|LONGEST|SHORTEST)_[A-Z]": "MAX_, MIN_",
    r"(?i)\bput on one side of the split\b": "assigned to one split",
    r"\bin_decoder\b|\bhandles/|\blabelling/|\bduplicates/": "the package's new name",
}
"""Patterns, and what to write instead."""
ALLOWED = {
    "tests/test_words.py",
    "src/xmodal_kedro/training/launch.py",  # multiprocessing's Listener
    "src/xmodal_kedro/listener.py",  # a name that models in MLflow import
    "src/xmodal_kedro/sample/world.py",  # "Heard" begins a sentence
    "tests/training/test_student.py",
    "src/xmodal_kedro/training/student.py",  # a name of weights that are stored
}


def texts() -> Iterator[Path]:
    for folder, pattern in (
        *(("src", f"*.{suffix}") for suffix in ("py", "j2")),
        *((folder, "*.py") for folder in ("tests", "benchmarks")),
        *((folder, f"*.{suffix}") for folder in ("docs", "conf", "notebooks") for suffix in ("md", "yml", "ipynb")),
    ):
        yield from (path for path in sorted((PROJECT / folder).rglob(pattern)) if ".egg-info" not in str(path))
    yield from (PROJECT / name for name in ("README.md", "CONTRIBUTING.md"))


@pytest.mark.parametrize("pattern", WORDS)
def test_a_word_that_was_replaced_does_not_come_back(pattern: str) -> None:
    found = [
        f"{name}:{number}: {line.strip()[:100]}"
        for path in texts()
        if (name := path.relative_to(PROJECT).as_posix()) not in ALLOWED
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(pattern, line)
    ]
    assert not found, f"write {WORDS[pattern]}:\n" + "\n".join(found)
