"""What `benchmarks/against.py` reads and prints is what it says."""

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.project import PROJECT


@pytest.fixture
def against(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(PROJECT / "benchmarks")
    return importlib.import_module("against")


def test_the_ratio_is_of_the_medians_and_more_than_one_where_the_second_takes_less(against: Any) -> None:
    shown = against.report({"a wait": {"before": [9.0, 4.0, 5.0], "now": [2.0, 2.5, 70.0]}}, ("before", "now"))
    assert shown.splitlines()[-1].split() == ["a", "wait", "5.00", "2.50", "2.00"]


def test_stored_embeddings_come_with_the_classes_and_folds_of_their_files(against: Any, tmp_path: Path) -> None:
    folder = tmp_path / "07_model_output" / "vggish" / "esc50" / "embeddings"
    folder.mkdir(parents=True)
    for shard, file in (("pretrained-00000", "1-100032-A-0.wav"), ("pretrained-00001", "5-9032-A-14.wav")):
        pd.DataFrame({"file": [file], "embedding": [np.float32([1, 2])]}).to_parquet(folder / f"{shard}.parquet")
    found = against.stored_embeddings(tmp_path, tmp_path)
    data = np.load(found["pretrained"])
    assert data["vectors"].shape == (2, 2)
    assert data["truths"].tolist() == ["0", "14"]
    assert data["folds"].tolist() == [1, 5]
