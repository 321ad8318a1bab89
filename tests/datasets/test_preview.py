"""Previews for Kedro-Viz."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import get_type_hints

import pandas as pd
import pyarrow as pa
import pytest
import torch

from xmodal_kedro.datasets.files import MarkdownDataset, SheetDataset, TableDataset, WeightsDataset
from xmodal_kedro.datasets.folder import FolderDataset
from xmodal_kedro.datasets.preview import MAX_TEXT, cell
from xmodal_kedro.datasets.sharded import ShardedParquetDataset
from xmodal_kedro.recipes import recipe


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (b"\0" * 137_600, "137.6 kB"),
        ([b"\0" * 5_300, b"\0" * 5_400], "5.3 kB, 5.4 kB"),
        ([0.5, 1 / 3], "0.5, 0.3333"),
        (list(range(2048)), "0, 1, 2, 3, … (2,048 in all)"),
        ({"a": 0.123456, "b": [1]}, "a: 0.1235, b: 1"),
        (12.34567, 12.3457),
        (None, None),
        (7, 7),
        ("dog", "dog"),
        ("x" * 999, "x" * (MAX_TEXT - 1) + "…"),
    ],
    ids=str,
)
def test_a_cell_shortens_large_values(value: object, shown: object) -> None:
    assert cell(value) == shown


@pytest.mark.parametrize("root", ["folder", "memory://preview"])
def test_a_table_shows_its_first_rows_from_any_storage(root: str, tmp_path: Path) -> None:
    table = TableDataset(filepath=f"{tmp_path if root == 'folder' else root}/t.parquet")
    table.save(pd.DataFrame({"name": ["rain", "dog", "cat"], "picture_distance": [1.0, None, 3.0]}))
    shown = table.preview(nrows=2)
    assert shown["columns"] == ["name", "picture_distance"]
    assert shown["data"] == [["rain", 1.0], ["dog", None]]
    assert shown["index"] == [0, 1]


@recipe("named of test_preview", version=1)
def named(key: str, count: int) -> pa.Table:
    names = [f"{key}-{at}" for at in range(count)]
    return pa.table({"clip_id": pa.array(names, pa.string())})


def shards(folder: Path, rows: dict[str, int]) -> ShardedParquetDataset:
    dataset = ShardedParquetDataset(path=str(folder / "s"), engine={"backend": "threading", "workers": 1})
    dataset.save({key: partial(named, key, count) for key, count in rows.items()})
    return dataset


def test_shards_show_rows_of_the_first_that_has_any(tmp_path: Path) -> None:
    shown = shards(tmp_path, {"a": 0, "b": 30, "c": 30}).preview(nrows=2)
    assert (shown["columns"], shown["data"]) == (["clip_id"], [["b-0"], ["b-1"]])


def test_shards_without_rows_show_their_columns(tmp_path: Path) -> None:
    shown = shards(tmp_path, {"a": 0}).preview()
    assert (shown["columns"], shown["data"]) == (["clip_id"], [])
    assert shards(tmp_path, {}).preview()["data"] == []


def test_a_folder_shows_its_files(tmp_path: Path) -> None:
    folder = FolderDataset(path=str(tmp_path / "f"))
    folder.save({"b.txt": b"four", "a/c.txt": b"", "d.txt": b"1"})
    shown = folder.preview(nrows=2)
    assert (shown["columns"], shown["data"]) == (["file", "size_bytes"], [["a/c.txt", 0], ["b.txt", 4]])


def test_weights_show_their_tensors(tmp_path: Path) -> None:
    weights = WeightsDataset(filepath=str(tmp_path / "w.safetensors"), backend="torch")
    weights.save({"layer.weight": torch.zeros(2, 3), "layer.steps": torch.tensor(1)})
    shown = weights.preview()
    assert sorted(shown["data"]) == [["layer.steps", "", "I64"], ["layer.weight", "2 x 3", "F32"]]


def test_texts_are_shown_as_they_are_and_sheets_as_html_without_what_markdown_would_take_for_its_own(
    tmp_path: Path,
) -> None:
    text = MarkdownDataset(filepath=str(tmp_path / "t.md"))
    text.save("# a_b")
    assert text.preview() == "# a_b"
    sheet = SheetDataset(filepath=str(tmp_path / "s.html"))
    sheet.save("<p>sea_waves, water_drops</p>")
    assert sheet.preview() == "<p>sea\N{NO-BREAK SPACE}waves, water\N{NO-BREAK SPACE}drops</p>"


@pytest.mark.parametrize(
    ("dataset", "kind"),
    [
        *(
            (dataset, "TablePreview")
            for dataset in (TableDataset, ShardedParquetDataset, FolderDataset, WeightsDataset)
        ),
        (SheetDataset, "HTMLPreview"),
        (MarkdownDataset, "TextPreview"),
    ],
)
def test_the_type_that_a_preview_returns_has_the_name_by_which_kedro_viz_knows_it(dataset: type, kind: str) -> None:
    assert get_type_hints(dataset.preview)["return"].__name__ == kind


def test_previews_are_json(tmp_path: Path) -> None:
    assert json.dumps(shards(tmp_path, {"a": 3}).preview())
