from __future__ import annotations

from pathlib import Path

import fsspec

from xmodal_kedro.hooks.catalog import local_file


def test_a_file_of_this_machine_is_used_where_it_is_and_one_elsewhere_is_copied(tmp_path: Path) -> None:
    here = tmp_path / "card.json"
    assert local_file(str(here), str(tmp_path / "copies")) == str(here)
    fsspec.filesystem("memory").pipe_file("/models/card.json", b"{}")
    copy = Path(local_file("memory://models/card.json", str(tmp_path)))
    assert copy == here and copy.read_bytes() == b"{}"
