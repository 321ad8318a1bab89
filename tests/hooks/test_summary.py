"""The message at the end of a run: counts, reasons, network and reports, from small tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline

from tests.fakes import MemoryShard
from xmodal_kedro.datasets.files import HtmlDataset, JsonDataset, TableDataset
from xmodal_kedro.datasets.folder import FolderDataset
from xmodal_kedro.hooks.summary import SummaryHooks, summary_lines
from xmodal_kedro.params import VisualTeacherCard

MADE = ("videos", "rejected_videos", "unclipped_videos", "cut_short_videos", "clips", "visual_labels")
LEARNT = ("label_vocabulary", "model_weights", "model_card", "label_report")
RUN: dict[str, Any] = {"pipeline_names": None}


def nothing() -> None: ...


def pipeline_of(*names: str) -> Pipeline:
    """A pipeline that makes these datasets."""
    return Pipeline([Node(nothing, inputs=None, outputs=name, name=f"make_{name}") for name in names])


@pytest.fixture
def catalog(tmp_path: Path) -> DataCatalog:
    tables = {
        "videos": pd.DataFrame({"uri": ["a", "b", "c"], "duration_s": [1800.0, 1800.0, 3600.0]}),
        "rejected_videos": pd.DataFrame({"reason": ["corrupt", "corrupt", "not_media"]}),
        "unclipped_videos": pd.DataFrame({"reason": ["silent"]}),
        "cut_short_videos": pd.DataFrame({"reason": ["corrupt"]}),
        "label_vocabulary": pd.DataFrame({"name": ["Dog", "Rain", "Sea", "Wind"]}),
    }
    made: dict[str, Any] = {}
    for name, table in tables.items():
        made[name] = TableDataset(filepath=str(tmp_path / f"{name}.parquet"))
        made[name].save(table)
    made["model_card"] = JsonDataset(filepath=str(tmp_path / "net" / "card.json"))
    made["model_card"].save({"best": {"validation_map": 0.25}})
    made["model_weights"] = JsonDataset(filepath=str(tmp_path / "net" / "weights"))
    made["label_report"] = HtmlDataset(filepath=str(tmp_path / "label_report.html"))
    made["label_report"].save("<html>")
    made["transfer_metrics"] = JsonDataset(filepath=str(tmp_path / "metrics.json"))
    made["transfer_metrics"].save(
        {"esc50.linear_probe.pretrained.accuracy": 0.5, "esc50.linear_probe.random.accuracy": 0}
    )
    (tmp_path / "note.json").write_text(json.dumps({"name": "someone/vit", "commit": "abc", "licence": "mit"}))
    made["visual_teacher_files"] = FolderDataset(path=str(tmp_path), note=str(tmp_path / "note.json"))
    found = DataCatalog(made)
    found["clips"] = {"s": MemoryShard(pa.table({"clip_id": ["x", "y"]}))}
    card = {"backend": "transformers", "weights": "someone/vit"}
    found["params:visual_teacher"] = VisualTeacherCard.model_validate(card)
    return found


def test_a_run_is_summed_up_in_one_line_for_each_thing(catalog: DataCatalog, tmp_path: Path) -> None:
    lines = dict(summary_lines(RUN, pipeline_of(*MADE, *LEARNT), catalog))

    assert lines["files"].startswith("2 of 6 used, 1 of them in part; not used: 2 corrupt, 1 not_media, 1 silent")
    assert "rejected_videos.parquet" in lines["files"] and "unclipped_videos.parquet" in lines["files"]
    assert lines["clips"] == "2 clips in 1 shard, from 2.00 hours of recordings"
    assert lines["visual"] == "someone/vit at commit abc, licence mit"
    (tmp_path / "note.json").write_text(json.dumps({"name": "someone/vit", "commit": "abc", "licence": ""}))
    assert dict(summary_lines(RUN, pipeline_of(*MADE), catalog))["visual"].endswith("licence not known")
    assert lines["classes"] == "4: Dog; Rain; Sea and others"
    assert lines["network"].startswith(f"{tmp_path / 'net'}, mAP 0.250")
    assert "esc50=auto" in lines["benchmark"]
    assert lines["report"] == str(tmp_path / "label_report.html")


def test_what_is_judged_says_how_good_it_is_and_asks_for_no_benchmark(catalog: DataCatalog) -> None:
    lines = dict(summary_lines(RUN, pipeline_of("model_weights", "transfer_metrics"), catalog))
    assert lines["benchmark"] == "esc50.linear_probe.pretrained.accuracy 0.500"


def test_a_part_of_the_line_asks_for_no_benchmark(catalog: DataCatalog) -> None:
    lines = dict(summary_lines({"pipeline_names": ["train"]}, pipeline_of("model_weights"), catalog))
    assert lines.keys() == {"network"}


def test_what_cannot_be_summed_up_fails_no_run(catalog: DataCatalog, tmp_path: Path, caplog: Any) -> None:
    (tmp_path / "videos.parquet").write_bytes(b"broken")
    SummaryHooks().after_pipeline_run(RUN, pipeline_of(*MADE), catalog)
    assert "cannot be summed up" in caplog.text
