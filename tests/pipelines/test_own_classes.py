"""Classes in a user's own words, from clips to targets, with everything stored between the nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline
from kedro.runner import SequentialRunner

from tests.fakes import folder_of
from tests.teachers.contrastive import teach_colours, write_clap, write_clip
from tests.teachers.fixtures import clips_shard, jpeg, tone
from xmodal_kedro.datasets.files import TableDataset
from xmodal_kedro.datasets.sharded import ShardedParquetDataset
from xmodal_kedro.params import AudioLabelParams, AudioTeacherCard, LabelParams, MergeParams, VisualTeacherCard
from xmodal_kedro.pipelines import audio_label, merge_labels, visual_label

SHARDED = (
    *("visual_clip_embeddings", "visual_labels", "audio_clip_embeddings", "audio_labels", "teacher_embeddings"),
    *("label_survey", "target_counts", "labels"),
)
TABLES = ("visual_prompts", "audio_prompts", "visual_classes", "audio_classes", "label_vocabulary")


def corpus() -> dict[str, Any]:
    """120 clips in two shards; every tenth is red, the others blue."""
    draw = np.random.default_rng(0)
    clips = []
    for number in range(120):
        level = draw.integers(0, 90, 3)
        level[0 if number % 10 == 0 else 2] += 140
        clips.append(
            {
                "clip_id": f"clip-{number:03d}",
                "video_id": f"v{number}",
                "frames": [jpeg(*map(int, level))],
                "audio": tone(float(draw.integers(200, 2000)), 1.0),
            }
        )
    return {"shard-0": clips_shard(clips[:60]), "shard-1": clips_shard(clips[60:])}


@pytest.fixture(scope="module")
def teachers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("teachers")
    teach_colours(write_clip(folder / "clip"), folder / "clip")
    write_clap(folder / "clap")
    return folder


def catalog(root: Path, teachers: Path, name: str = "crimson") -> DataCatalog:
    keeps = {"threshold": 0.5, "top_k": 1}
    inputs: dict[str, Any] = {
        "clips": corpus(),
        "earlier_thresholds": pd.DataFrame(columns=["name", "modality", "wanted", "threshold"]),
        "near_duplicates": pd.DataFrame({"video_id": [], "group_id": []}),
        "videos": pd.DataFrame({"video_id": [f"v{n}" for n in range(120)], "uri": [f"{n}.mp4" for n in range(120)]}),
        "visual_teacher_files": folder_of(teachers),
        "audio_teacher_files": folder_of(teachers),
        "params:visual_teacher": VisualTeacherCard(
            backend="contrastive",
            weights="clip",
            classes={name: ["a photo of red"], "leaf": ["a photo of green"]},  # type: ignore[arg-type]
            background=("a photo of blue",),
        ),
        "params:audio_teacher": AudioTeacherCard(
            backend="contrastive",
            weights="clap",
            classes={"low": "a low sound", "high": "a high sound"},  # type: ignore[arg-type]
        ),
        "params:visual_label": LabelParams(device="cpu"),
        "params:audio_label": AudioLabelParams(device="cpu"),
        "params:merge_labels": MergeParams.model_validate(
            {"rule": "visual_only", "visual": keeps, "audio": keeps, "min_clips": 3}
        ),
    }
    engine = {"backend": "threading", "workers": 1}
    return DataCatalog(
        {key: MemoryDataset(value, copy_mode="assign") for key, value in inputs.items()}
        | {key: ShardedParquetDataset(path=str(root / key), engine=engine) for key in SHARDED}
        | {key: TableDataset(filepath=str(root / f"{key}.parquet")) for key in TABLES}
    )


def line() -> Pipeline:
    return visual_label.create_pipeline() + audio_label.create_pipeline() + merge_labels.create_pipeline()


def test_own_words_become_targets_and_other_words_do_not_run_the_models_again(
    tmp_path: Path, teachers: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = catalog(tmp_path, teachers)
    SequentialRunner().run(line(), first)
    vocabulary = first["label_vocabulary"].load()
    assert vocabulary["name"].tolist() == ["crimson"]
    labels = pd.concat([load().to_pandas() for load in first["labels"].load().values()])
    found = set(labels["clip_id"][labels["targets"].map(len) > 0])
    red = {f"clip-{number:03d}" for number in range(0, 120, 10)}
    assert len(found & red) >= 0.9 * len(red)
    assert len(found - red) <= 0.2 * (120 - len(red))  # blue clips with some red in them

    caplog.clear()
    caplog.set_level("INFO")
    second = catalog(tmp_path, teachers, name="scarlet")
    SequentialRunner().run(line(), second)
    assert second["label_vocabulary"].load()["name"].tolist() == ["scarlet"]
    assert "visual_clip_embeddings: 0 shards written, 2 unchanged" in caplog.text
    assert "visual_labels: 2 shards written" in caplog.text
