"""The pipelines visual_label, audio_label and merge_labels, run together on stored shards."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline
from kedro.runner import SequentialRunner

from tests.conftest import PROJECT
from tests.fakes import folder_of
from tests.reports.pages import flat
from tests.teachers.fixtures import (
    clips_shard,
    colour_card,
    jpeg,
    pitch_card,
    tone,
    write_colour_teacher,
    write_pitch_teacher,
)
from xmodal_kedro.datasets.files import TableDataset
from xmodal_kedro.datasets.sharded import ShardedParquetDataset
from xmodal_kedro.params import AudioLabelParams, AudioTeacherCard, LabelParams, MergeParams, VisualTeacherCard
from xmodal_kedro.pipelines import audio_label, merge_labels, visual_label

SHARDS = {
    "shard-00000": clips_shard(
        [
            {"clip_id": "red tone", "video_id": "v0", "frames": [jpeg(255, 0, 0)], "audio": tone(1000)},
            {"clip_id": "blind tone", "video_id": "v0", "frames": [], "audio": tone(1000)},
        ]
    ),
    "shard-00001": clips_shard([{"clip_id": "red hiss", "video_id": "v1", "frames": [jpeg(255, 0, 0)]}]),
}


@pytest.fixture
def catalog(tmp_path: Path) -> DataCatalog:
    write_colour_teacher(tmp_path / "teachers")
    write_pitch_teacher(tmp_path / "teachers")
    asks = LabelParams(top_k=1, device="cpu")
    keeps = {"threshold": 0.4, "top_k": 1}
    inputs: dict[str, Any] = {
        "clips": SHARDS,
        "near_duplicates": pd.DataFrame({"video_id": [], "group_id": []}),
        "earlier_thresholds": pd.DataFrame(columns=["name", "modality", "wanted", "threshold"]),
        "videos": pd.DataFrame({"video_id": ["v0", "v1"], "uri": ["trip/0.mp4", "1.mp4"]}),
        "visual_teacher_files": folder_of(tmp_path / "teachers"),
        "audio_teacher_files": folder_of(tmp_path / "teachers"),
        "params:visual_teacher": colour_card(),
        "params:audio_teacher": pitch_card(),
        "params:visual_label": asks,
        "params:audio_label": AudioLabelParams(top_k=1, device="cpu"),
        "params:merge_labels": MergeParams.model_validate({"visual": keeps, "audio": keeps, "min_clips": 1}),
    }
    engine = {"backend": "threading", "workers": 1}
    shards = ("visual_labels", "audio_labels", "teacher_embeddings", "label_survey", "target_counts", "labels")
    return DataCatalog(
        {name: MemoryDataset(value, copy_mode="assign") for name, value in inputs.items()}
        | {name: ShardedParquetDataset(path=str(tmp_path / name), engine=engine) for name in shards}
        | {"label_vocabulary": TableDataset(filepath=str(tmp_path / "label_vocabulary.parquet"))}
    )


def whole_line() -> Pipeline:
    return visual_label.create_pipeline() + audio_label.create_pipeline() + merge_labels.create_pipeline()


def test_clips_become_targets_that_both_teachers_agree_to(catalog: DataCatalog) -> None:
    outputs = SequentialRunner().run(whole_line(), catalog)
    vocabulary = catalog["label_vocabulary"].load()
    assert vocabulary[["modality", "clip_count"]].values.tolist() == [["audio", 3], ["visual", 2]]
    tables = {key: load() for key, load in catalog["labels"].load().items()}
    assert {key: table["clip_id"].to_pylist() for key, table in tables.items()} == {
        "shard-00000": ["red tone", "blind tone"],
        "shard-00001": ["red hiss"],
    }
    assert tables["shard-00000"]["targets"].to_pylist() == [[0, 1], [0]]
    report = outputs["label_report"].load()
    assert "2 classes: 1 visual only, 1 audio only." in flat(report)
    assert "visual 1 (1 without a frame)" in flat(report)
    assert report.count("<audio controls") >= 3, "each clip can be listened to"
    assert outputs["contact_sheet"].load().count("<article") >= 5


def test_a_teacher_whose_list_has_another_length_stops_the_run_before_a_shard(
    catalog: DataCatalog, tmp_path: Path
) -> None:
    (tmp_path / "teachers" / "colours.txt").write_text("red\ngreen")
    catalog["visual_teacher_files"] = MemoryDataset(folder_of(tmp_path / "teachers"), copy_mode="assign")
    with pytest.raises(ValueError, match="'colours.txt' lists 2 classes"):
        SequentialRunner().run(visual_label.create_pipeline(), catalog)
    assert not (tmp_path / "visual_labels").exists()


@pytest.mark.parametrize("env", ["base", "onnx"])
def test_the_shipped_parameters_are_valid_and_are_complete(env: str) -> None:
    stated: dict[str, Any] = {}
    for file in sorted((PROJECT / "conf" / env / "parameters").glob("*.yml")):
        stated |= yaml.safe_load(file.read_text()) or {}
    models = {"visual_teacher": VisualTeacherCard, "audio_teacher": AudioTeacherCard, "visual_label": LabelParams,
              "audio_label": AudioLabelParams, "merge_labels": MergeParams}  # fmt: skip
    ours = {name: models[name].model_validate(fields) for name, fields in stated.items() if name in models}
    assert {"visual_teacher", "audio_teacher"} <= set(ours)
    if env == "base":
        assert set(ours) == set(models)
        assert all(params.model_fields_set == set(type(params).model_fields) for params in ours.values())


@pytest.mark.parametrize(
    "changes", [{"threshold": -0.1, "top_k": 1}, {"threshold": 1.1, "top_k": 1}, {"threshold": 0.5}]
)
def test_a_threshold_outside_0_to_1_or_a_missing_field_is_refused(changes: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"visual\.(threshold|top_k)"):
        MergeParams.model_validate({"visual": changes, "audio": {"threshold": 0.5, "top_k": 1}})


def test_a_sound_card_is_no_card_for_the_visual_teacher() -> None:
    with pytest.raises(ValueError, match="input"):
        VisualTeacherCard.model_validate(pitch_card().model_dump())
