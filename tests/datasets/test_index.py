"""Indices of folders: of the first scheme, of a newer one, and broken ones."""

from __future__ import annotations

import json
from pathlib import Path

import fsspec
import pytest

from xmodal_kedro.datasets.errors import DataError
from xmodal_kedro.datasets.index import SCHEME, read_index, write_index

FS = fsspec.filesystem("file")


def read(folder: Path) -> dict[str, str] | None:
    return read_index(FS, str(folder / "_index.json"), str(folder))


def test_an_index_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert read(tmp_path) is None
    write_index(FS, str(tmp_path / "_index.json"), {"shard-0": "ab"})
    assert read(tmp_path) == {"shard-0": "ab"}


def test_an_index_of_version_0_1_is_read(tmp_path: Path) -> None:
    (tmp_path / "_index.json").write_text('{"shard-0": "ab"}')
    assert read(tmp_path) == {"shard-0": "ab"}


def test_one_of_a_newer_scheme_is_refused_with_the_folder_and_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "_index.json").write_text(json.dumps({"scheme": SCHEME + 1, "shards": []}))
    with pytest.raises(DataError, match=rf"{tmp_path} .*newer version.*data_root="):
        read(tmp_path)


@pytest.mark.parametrize(
    "text", ["", "junk", "[1, 2]", '{"scheme": "9"}', '{"scheme": 2}', '{"scheme": 2, "fingerprints": 3}']
)
def test_a_broken_one_is_named_with_the_remedy(tmp_path: Path, text: str) -> None:
    (tmp_path / "_index.json").write_text(text)
    with pytest.raises(DataError, match=rf"{tmp_path}/_index.json is broken: delete it"):
        read(tmp_path)
