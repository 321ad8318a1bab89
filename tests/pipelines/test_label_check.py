"""The pipeline label_check compares labels with a truth file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from tests.fakes import MemoryShard
from tests.labels.check.small_corpus import CANDIDATES, LABEL_CLASSES, ONTOLOGY, PARAMS, label_shard, target_shard
from tests.reports.pages import flat
from xmodal_kedro.datasets.errors import DataError
from xmodal_kedro.datasets.files import TableDataset, TextTableDataset
from xmodal_kedro.pipelines.label_check import create_pipeline
from xmodal_kedro.schemas import ClipTruth, LabelQuality, LabelReliability

DOG, CAT = "0" * 32, "f" * 32
CLIPS = pa.table(
    [["d0", "d1", "c0"], [DOG, DOG, CAT], [0.0, 4.0, 0.0], [4.0, 8.0, 4.0]],
    names=["clip_id", "video_id", "start_s", "end_s"],
)


def check(tmp_path: Path, truth: str) -> dict[str, Any]:
    """Run the pipeline on labels that are right of the dog and wrong of the cat."""
    (tmp_path / "truth.csv").write_text(truth, encoding="utf-8-sig")
    inputs: dict[str, Any] = {
        "videos": pd.DataFrame({"uri": ["dog.mp4", "cat.mp4"], "video_id": [DOG, CAT]}),
        "clips": {"shard-all": MemoryShard(CLIPS)},
        "visual_labels": {"shard-all": label_shard([("d0", "pug", 0.9), ("c0", "vase", 0.6)])},
        "audio_labels": {"shard-all": label_shard([("d0", "Dog", 0.9), ("d1", "Bark", 0.8), ("c0", "Rain", 0.7)])},
        "labels": {"shard-all": target_shard({"d0": [0], "d1": [0], "c0": []})},
        "label_vocabulary": pd.DataFrame({"index": [0], "name": ["Dog"]}),
        "candidate_classes": CANDIDATES,
        "label_classes": LABEL_CLASSES,
        "sound_ontology": ONTOLOGY,
        "params:merge_labels": PARAMS,
    }
    tables = ("clip_truth", "label_quality", "label_reliability")
    catalog = DataCatalog(
        {name: MemoryDataset(value, copy_mode="assign") for name, value in inputs.items()}
        | {name: TableDataset(filepath=str(tmp_path / f"{name}.parquet")) for name in tables}
        | {"truth": TextTableDataset(filepath=str(tmp_path / "truth.csv"))}
    )
    outputs = SequentialRunner().run(create_pipeline(), catalog)
    return {name: dataset.load() for name, dataset in outputs.items()} | {name: catalog.load(name) for name in tables}


def test_labels_are_compared_with_a_file_of_recordings_and_classes(tmp_path: Path) -> None:
    outputs = check(tmp_path, "uri,heard,by\ndog.mp4,Dog,NA\ncat.mp4,/m/cat,NA\n")
    ClipTruth.validate(outputs["clip_truth"])
    LabelQuality.validate(outputs["label_quality"])
    LabelReliability.validate(outputs["label_reliability"])
    metrics = outputs["label_check_metrics"]
    assert metrics["label_check.audio.heard.clips"] == 3
    assert metrics["label_check.audio.heard.top1"] == pytest.approx(1 / 3)
    assert metrics["label_check.audio.heard.branch.top1"] == pytest.approx(2 / 3)
    assert metrics["label_check.visual.heard.top5"] == pytest.approx(1 / 3)
    assert metrics["label_check.target.heard.precision"] == 1
    assert metrics["label_check.target.heard.recall"] == pytest.approx(2 / 3)
    assert "label_check.target.heard.top1" not in metrics
    assert not [name for name in metrics if ".seen." in name]


def test_the_page_shows_every_class_that_is_true_or_stated(tmp_path: Path) -> None:
    outputs = check(tmp_path, "uri,heard,seen\ndog.mp4,Dog,pug\ncat.mp4,Cat,tabby\n")
    page = outputs["label_check_report"]
    assert all(f"<th>{name}</th>" in page for name in ("Dog", "Cat", "Bark", "Rain", "pug", "tabby", "vase"))
    assert "3 clips of 2 recordings" in flat(page)
    assert "https://" not in page.split("</script>")[-1]
    assert len(outputs["label_calibration"].data) == 4


def test_a_class_called_na_is_no_missing_value(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="row 1: heard holds 'NA'"):
        check(tmp_path, "uri,heard\ndog.mp4,NA\n")


def test_equal_inputs_give_equal_bytes(tmp_path: Path) -> None:
    truth = "uri,heard,seen\ndog.mp4,Dog|Rain,pug\ncat.mp4,Cat,\n"
    first, second = check(tmp_path, truth), check(tmp_path, truth)
    pd.testing.assert_frame_equal(first["label_quality"], second["label_quality"])
    assert first["label_check_report"] == second["label_check_report"]
    assert first["label_check_metrics"] == second["label_check_metrics"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_truth_is_read_as_spreadsheets_save_it(tmp_path: Path, encoding: str, separator: str) -> None:
    rows = (("uri", "heard", "seen"), ("dog.mp4", "007", "NA"), ("caf\u00e9.mp4", "1e5", ""))
    (tmp_path / "truth.csv").write_text("\r\n".join(map(separator.join, rows)), encoding=encoding)
    truth = TextTableDataset(filepath=str(tmp_path / "truth.csv")).load()
    assert [tuple(truth.columns), *truth.itertuples(index=False, name=None)] == list(rows)


def test_a_truth_that_is_no_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "truth.csv").write_text("uri,heard\na,Chicken, rooster\n")
    with pytest.raises(DataError, match=r"truth\.csv has more cells in row 1 .*quotes"):
        TextTableDataset(filepath=str(tmp_path / "truth.csv")).load()
