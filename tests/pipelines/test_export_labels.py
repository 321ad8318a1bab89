"""Labels of clips, through the pipeline."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from tests.exports import clips as corpus
from xmodal_kedro.datasets.exported import ExportedFilesDataset
from xmodal_kedro.errors import UserError
from xmodal_kedro.params import ExportLabelsParams
from xmodal_kedro.pipelines.export_labels import create_pipeline
from xmodal_kedro.pipelines.export_labels.nodes import export_labels


def test_targets_of_clips_become_events_of_their_recordings(tmp_path: Path) -> None:
    inputs = {
        "clips": corpus.clips(),
        "labels": corpus.labels(),
        "label_vocabulary": corpus.VOCABULARY,
        "videos": corpus.VIDEOS,
        "params:export_labels": ExportLabelsParams(),
    }
    catalog = DataCatalog(
        {name: MemoryDataset(value, copy_mode="assign") for name, value in inputs.items()}
        | {"label_files": ExportedFilesDataset(path=str(tmp_path), engine={"backend": "threading", "workers": 1})}
    )
    SequentialRunner().run(create_pipeline(), catalog)
    table = pd.read_csv(tmp_path / "events.csv")
    assert table[["uri", "label", "start_s", "end_s", "score"]].values.tolist() == [
        ["b, c.mp4", "Child speech, kid speaking", 1.0, 5.0, 1.0],
        ["trip/0001.mp4", "Bark", 0.0, 4.0, 1.0],
        ["trip/0001.mp4", "rain", 0.0, 7.5, 0.5],
        ["über/3.wav", "Bark", 0.0, 4.321, 1.0],
        ["über/3.wav", "rain", 0.0, 4.321, 1.0],
    ]
    assert (
        tmp_path / "audacity" / "über" / "3.wav.txt"
    ).read_text() == "0.000000\t4.321000\tBark\n0.000000\t4.321000\train\n"


def test_clips_and_labels_of_other_runs_are_refused() -> None:
    labels = {"shard-0": corpus.labels()["shard-0"]}
    with pytest.raises(UserError, match="same shards"):
        export_labels(corpus.clips(), labels, corpus.VOCABULARY, corpus.VIDEOS, ExportLabelsParams())
