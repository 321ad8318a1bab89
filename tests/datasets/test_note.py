"""Facts in a small JSON file, kept from run to run."""

from __future__ import annotations

from pathlib import Path

import pytest

from xmodal_kedro.datasets.errors import DataError
from xmodal_kedro.datasets.note import JsonNote


@pytest.mark.parametrize("place", ["folder/note.json", "memory://notes/{}/note.json"])
def test_what_is_written_is_read_and_replaced(tmp_path: Path, place: str) -> None:
    path = place.format(tmp_path.name) if "{" in place else str(tmp_path / place)
    note = JsonNote(path)
    assert note.read() is None
    note.write({"name": "first"})
    note.write({"name": "second"})
    assert JsonNote(path).read() == {"name": "second"}


@pytest.mark.parametrize("content", ["{", "[]"])
def test_a_broken_note_is_named_with_its_remedy(tmp_path: Path, content: str) -> None:
    (tmp_path / "note.json").write_text(content)
    with pytest.raises(DataError, match=r"note\.json.*remove it"):
        JsonNote(str(tmp_path / "note.json")).read()
