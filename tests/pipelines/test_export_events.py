"""Events of embedded recordings, through the pipeline."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from tests.exports.windows import SHARDS
from xmodal_kedro.datasets.exported import ExportedFilesDataset
from xmodal_kedro.params import ExportEventsParams
from xmodal_kedro.pipelines.export_events import create_pipeline


def run(folder: Path, **params: object) -> Path:
    catalog = DataCatalog(
        {
            "recording_embeddings": MemoryDataset(SHARDS, copy_mode="assign"),
            "params:export_events": MemoryDataset(ExportEventsParams.model_validate(params)),
            "event_files": ExportedFilesDataset(path=str(folder), engine={"backend": "threading", "workers": 1}),
        }
    )
    SequentialRunner().run(create_pipeline(), catalog)
    return folder


def test_thresholds_and_gap_are_those_of_the_parameters(tmp_path: Path) -> None:
    def rain(**params: object) -> list[tuple[float, float]]:
        table = pd.read_csv(run(tmp_path, **params) / "events.csv")
        found = table[(table["label"] == "rain") & (table["uri"] == "one/a.wav")]
        return list(zip(found["start_s"], found["end_s"], strict=True))

    assert rain() == [(0.0, 8.0), (12.0, 16.0)]
    assert rain(low_threshold=0.3, threshold=0.8) == [(0.0, 8.0)]
    assert rain(max_gap_s=4.0) == [(0.0, 16.0)]


def test_formats_that_are_no_longer_asked_for_go(tmp_path: Path) -> None:
    run(tmp_path)
    assert {path.name for path in tmp_path.glob("[!.]*")} == {
        *("events.csv", "BirdNET_CombinedTable.csv", "audacity", "raven")
    }
    run(tmp_path, formats="raven+events")
    assert not list(tmp_path.glob("audacity/**/*.txt")) and not list(tmp_path.glob("BirdNET*"))
    assert list(tmp_path.glob("raven/**/*.selections.txt")) and (tmp_path / "events.csv").exists()


@pytest.mark.parametrize(
    ("params", "named"),
    [
        ({"threshold": 0.1}, r"low_threshold \(0.2\) exceeds export_events.threshold \(0.1\)"),
        ({"formats": "raven+praat"}, "formats"),
        ({"formats": []}, "formats"),
    ],
)
def test_wrong_parameters_are_named(params: dict[str, object], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        ExportEventsParams.model_validate(params)
