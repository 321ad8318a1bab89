"""A table that need not be there is loaded, and shown, as no rows of its columns."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from xmodal_kedro.datasets.files import OptionalTableDataset


def test_a_missing_table_has_no_rows_and_one_that_was_saved_its_own(tmp_path: Path) -> None:
    dataset = OptionalTableDataset(filepath=str(tmp_path / "table.parquet"), columns=["name", "score"])
    assert dataset.exists()
    assert (list(dataset.load().columns), len(dataset.load())) == (["name", "score"], 0)
    assert (dataset.preview()["columns"], dataset.preview()["data"]) == (["name", "score"], [])
    table = pd.DataFrame({"name": ["Dog"], "score": [0.5]})
    dataset.save(table)
    pd.testing.assert_frame_equal(dataset.load(), table, check_dtype=False)
    assert dataset.preview()["data"] == [["Dog", 0.5]]
