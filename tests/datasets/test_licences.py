"""Licences of recordings, from the manifest that names them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from kedro.io import DatasetError

from xmodal_kedro.datasets.licences import LicencesDataset


def licences(path: Path) -> dict[str, str]:
    dataset = LicencesDataset(path=str(path))
    assert dataset.exists()
    return dataset.load()


@pytest.mark.parametrize("column", ["licence", "license", "License"])
def test_a_manifest_in_csv_states_licences(tmp_path: Path, column: str) -> None:
    (tmp_path / "list.csv").write_text(f"uri;{column};other\na.wav;CC BY 4.0;1\nb, c.wav; CC0 ;2\nd.wav;;3\n")
    assert licences(tmp_path / "list.csv") == {"a.wav": "CC BY 4.0", "b, c.wav": "CC0"}


def test_a_manifest_in_parquet_states_licences(tmp_path: Path) -> None:
    table = pd.DataFrame({"uri": ["a.wav", "b.wav"], "License": ["CC0", None]})
    table.to_parquet(tmp_path / "list.parquet")
    assert licences(tmp_path / "list.parquet") == {"a.wav": "CC0"}


def test_without_a_manifest_or_its_column_nothing_is_known(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("uri\na.wav\n")
    pd.DataFrame({"uri": ["a.wav"]}).to_parquet(tmp_path / "list.parquet")
    (tmp_path / "folder.csv").mkdir()
    for path in (tmp_path, tmp_path / "*.wav", tmp_path / "none.csv", tmp_path / "folder.csv"):
        assert licences(path) == {}
    assert licences(tmp_path / "list.csv") == licences(tmp_path / "list.parquet") == {}


def test_what_is_no_table_is_named(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text('uri,licence\n"a.wav,CC0\n')
    with pytest.raises(DatasetError, match=r"list\.csv"):
        licences(tmp_path / "list.csv")
