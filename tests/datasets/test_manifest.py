"""An error about a manifest names its file, field or row, and the remedy."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from kedro.io import DatasetError

from xmodal_kedro.datasets.manifest import read_manifest
from xmodal_kedro.storage import FileRef


def manifest(path: Path) -> FileRef:
    return FileRef(path.name, str(path), path.stat().st_size, 0)


@pytest.mark.parametrize("suffix", [".csv", ".CSV", ".parquet"])
def test_the_column_uri_is_read_in_order_and_each_address_once(
    tmp_path: Path, suffix: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    table = pd.DataFrame({"label": [1, 2, 3, 4], "uri": ["b, c.mp4", "s3://x/ü.mp4", "b, c.mp4", "two\nlines.mp4"]})
    path = tmp_path / f"list{suffix}"
    table.to_parquet(path) if suffix == ".parquet" else table.to_csv(path, index=False)
    assert read_manifest(manifest(path)) == ["b, c.mp4", "s3://x/ü.mp4", "two\nlines.mp4"]
    assert "1 row repeats another's uri" in caplog.text


def test_a_byte_order_mark_is_no_part_of_the_header(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("uri\r\na.mp4\r\n", encoding="utf-8-sig", newline="")
    assert read_manifest(manifest(tmp_path / "list.csv")) == ["a.mp4"]


@pytest.mark.parametrize(
    "content",
    [
        b"x;uri\n1;a.mp4\n",
        "x\turi\n1\ta.mp4\n".encode("utf-16"),
        b"x,URI\n1,a.mp4\n",
    ],
    ids=["semicolons", "utf-16-tabs", "capitals"],
)
def test_a_manifest_may_be_what_a_spreadsheet_saves(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "list.csv").write_bytes(content)
    assert read_manifest(manifest(tmp_path / "list.csv")) == ["a.mp4"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", r"list.csv must have one column uri, but its columns are -"),
        (b"file,label\na,1\n", r"list.csv must have one column uri, but its columns are file, label"),
        (b"uri,uri\na,b\n", r"must have one column uri, but its columns are uri, uri"),
        (b"uri\n", r"list.csv names no file"),
        (b"x,uri\n1,a.mp4\n2,\n", r"list.csv: row 2 has no uri"),
        (b"x,uri\n1,a.mp4\n2,b.mp4\n3\n", r"list.csv: row 3 has no uri"),
        (b"x,uri\n1,  \n", r"list.csv: row 1 has no uri"),
        (b"uri\ncaf\xe9.mp4\n", r"list.csv is not UTF-8 \(byte 7\): store it as UTF-8"),
        (b'uri\n"a.mp4\nb.mp4\n', r"list.csv is not CSV in line 3 \(unexpected end of data\)"),
    ],
    ids=["empty", "no column", "two columns", "no row", "empty cell", "no cell", "blank", "latin-1", "open quote"],
)
def test_a_wrong_csv_is_an_error(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "list.csv").write_bytes(content)
    with pytest.raises(DatasetError, match=said):
        read_manifest(manifest(tmp_path / "list.csv"))


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"file": ["a"]}, r"list.parquet must have one column uri, but its columns are file"),
        ({"uri": [1, 2]}, r"list.parquet: column uri holds int64: store addresses as strings"),
        ({"uri": ["a", None]}, r"list.parquet: row 2 has no uri"),
        ({"uri": pd.Series([], dtype=str)}, r"list.parquet names no file"),
    ],
    ids=["no column", "numbers", "null", "no row"],
)
def test_a_wrong_parquet_is_an_error(tmp_path: Path, columns: dict[str, list[object]], said: str) -> None:
    pd.DataFrame(columns).to_parquet(tmp_path / "list.parquet")
    with pytest.raises(DatasetError, match=said):
        read_manifest(manifest(tmp_path / "list.parquet"))


def test_a_parquet_file_that_is_none_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "list.parquet").write_bytes(b"uri\na.mp4\n")
    with pytest.raises(DatasetError, match=r"list.parquet is not a whole Parquet file \(.*\): write it again"):
        read_manifest(manifest(tmp_path / "list.parquet"))
