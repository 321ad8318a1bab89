"""What a stored dataset holds."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import fsspec
import pandas as pd
import pyarrow as pa
import pytest
from kedro.io import MemoryDataset

from xmodal_kedro.datasets.content import content_of, place_of
from xmodal_kedro.datasets.exported import ExportedFilesDataset
from xmodal_kedro.datasets.files import JsonDataset, TableDataset
from xmodal_kedro.datasets.folder import FolderDataset
from xmodal_kedro.datasets.sharded import ShardedParquetDataset
from xmodal_kedro.datasets.sources import SourcesDataset
from xmodal_kedro.datasets.tables import TablesDataset
from xmodal_kedro.recipes import recipe
from xmodal_kedro.storage import PROVISIONAL_KEY


def test_a_dataset_has_a_place_and_one_in_memory_has_none(tmp_path: Path) -> None:
    assert place_of(JsonDataset(filepath=str(tmp_path / "card.json"))) == str(tmp_path / "card.json")
    assert place_of(JsonDataset(filepath="s3://bucket/card.json")) == "s3://bucket/card.json"
    assert place_of(MemoryDataset(1)) == ""


@recipe("rows", version=1)
def rows(count: int, provisional: bool = False) -> pa.Table:
    table = pa.table({"x": range(count)})
    return table.replace_schema_metadata({PROVISIONAL_KEY: "storage"}) if provisional else table


def test_shards_go_by_their_fingerprints_and_provisional_ones_are_made_again(tmp_path: Path) -> None:
    shards = ShardedParquetDataset(path=str(tmp_path / "shards"), engine={"backend": "threading"})
    shards.save({"a": partial(rows, 1)})
    before = shards.content()
    shards.save({"a": partial(rows, 1)})
    assert before is not None and shards.content() == before
    shards.save({"a": partial(rows, 2)})
    assert shards.content() != before
    (tmp_path / "shards" / "a.parquet").unlink()
    assert shards.content() is None
    shards.save({"a": partial(rows, 1, provisional=True)})
    assert shards.content() is None


def test_a_folder_goes_by_its_files_and_recordings_are_always_looked_at(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "a.txt").write_text("a")
    content = content_of(FolderDataset(path=str(folder)), {})
    (folder / "b.txt").write_text("b")
    assert content[0] is not None and content_of(FolderDataset(path=str(folder)), {}) != content
    assert content_of(SourcesDataset(path=str(folder)), {}) == (None, {})


def test_a_linked_file_or_folder_goes_by_what_it_leads_to(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "files", tmp_path / "elsewhere"
    for each in (folder, elsewhere, elsewhere / "sub"):
        each.mkdir()
    places = [elsewhere / "model.onnx", elsewhere / "sub" / "sound.wav"]
    for place in places:
        place.write_text("a")
    (folder / "model.onnx").symlink_to(places[0])
    (folder / "sub").symlink_to(places[1].parent)
    seen = [FolderDataset(path=str(folder)).content()]
    for place in places:
        place.write_text("b")
        os.utime(place, ns=(1, 1))
        seen.append(FolderDataset(path=str(folder)).content())
    assert None not in seen and len(set(seen)) == 3
    exported = ExportedFilesDataset(path=str(folder))
    assert content_of(exported, {}) == (None, {})  # a linked folder is not listed
    (folder / "sub").unlink()
    before = content_of(exported, {})
    os.utime(places[0], ns=(2 * 10**9, 2 * 10**9))
    assert before[0] is not None and content_of(exported, {}) != before


def test_what_storage_does_not_state_is_not_known(tmp_path: Path) -> None:
    fs = fsspec.filesystem("memory")
    fs.pipe_file("/content/a.txt", b"a")  # no time of modification is stated
    assert content_of(FolderDataset(path="memory:///content"), {}) == (None, {})
    assert content_of(ExportedFilesDataset(path="memory:///content"), {}) == (None, {})
    file = JsonDataset(filepath="memory:///content/a.txt")
    before = content_of(file, {})[0]
    fs.pipe_file("/content/a.txt", b"b")
    assert before is not None and content_of(file, {})[0] not in (before, None)
    fs.rm("/content", recursive=True)
    (tmp_path / "_index.json").write_text("{")
    assert content_of(ShardedParquetDataset(path=str(tmp_path)), {}) == (None, {})


def test_tables_of_other_runs_count_by_what_they_hold(tmp_path: Path) -> None:
    tables = TablesDataset(path=str(tmp_path / "*" / "x.parquet"), schema="xmodal_kedro.schemas.TransferGains")
    none = content_of(tables, {})
    (tmp_path / "a").mkdir()
    TableDataset(filepath=str(tmp_path / "a" / "x.parquet")).save(pd.DataFrame({"x": [1.0]}))
    one = content_of(tables, {})
    assert none[0] is not None and one[0] is not None and one != none
    TableDataset(filepath=str(tmp_path / "a" / "x.parquet")).save(pd.DataFrame({"x": [2.0]}))
    assert content_of(tables, {}) not in (none, one)


def test_what_a_pattern_stands_for_is_not_known(tmp_path: Path) -> None:
    assert content_of(JsonDataset(filepath=str(tmp_path / "*.json")), {}) == (None, {})


def test_a_table_is_read_once_while_it_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = TableDataset(filepath=str(tmp_path / "table.parquet"))
    table.save(pd.DataFrame({"x": [1.0]}))
    content, known = content_of(table, {})
    opened: list[str] = []
    monkeypatch.setattr("builtins.open", lambda path, *_, **__: opened.append(path))
    assert content_of(table, known) == (content, known)
    assert opened == []
