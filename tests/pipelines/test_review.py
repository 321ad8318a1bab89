"""The pipeline review asks about labels, and goes on where the answers end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from tests.fakes import folder_of
from tests.labels.merging import merge_params
from tests.review.corpus import CLASSES, VOCABULARY, answers_in, corpus_of, pairs, random_labels
from xmodal_kedro.datasets.files import HtmlDataset, OptionalTableDataset, TableDataset
from xmodal_kedro.datasets.sharded import ShardedParquetDataset
from xmodal_kedro.params import AudioLabelParams, AudioTeacherCard, ReviewParams
from xmodal_kedro.pipelines.review import create_pipeline
from xmodal_kedro.schemas import ReviewPool, ReviewQuestions
from xmodal_kedro.storage import Folder

CLIPS = [f"clip-{number:03d}" for number in range(60)]
CARD = AudioTeacherCard.model_validate(
    {
        "backend": "sample",
        "weights": "weights.safetensors",
        "labels": "labels.txt",
        "input": {"kind": "log_mel", "log_offset": 0.01, "patch_frames": 96, "hop_frames": 48},
        "output": {"activation": "sigmoid"},
    }
)


def review(tmp_path: Path, answers: Folder, rule: str = "union", **fields: object) -> dict[str, Any]:
    """Run the pipeline on labels at random."""
    corpus = corpus_of(CLIPS, random_labels(CLIPS))
    inputs: dict[str, Any] = {
        "clips": corpus.clips,
        "visual_labels": corpus.labels["visual"],
        "audio_labels": corpus.labels["audio"],
        "candidate_classes": CLASSES[0],
        "label_classes": CLASSES[1],
        "label_vocabulary": VOCABULARY,
        "videos": pd.DataFrame({"video_id": ["clip-000-video"], "uri": ["a.mp4"]}),
        "review_answers": answers,
        "audio_teacher_files": folder_of(tmp_path / "none"),
        "params:audio_teacher": CARD,
        "params:audio_label": AudioLabelParams.model_validate({}),
        "params:merge_labels": merge_params(rule=rule),
        "params:review": ReviewParams.model_validate({"budget": 12, "score_bins": 4, **fields}),
    }
    columns = ["clip_id", "name", "shard", "reason", "suspicion"]
    suspects = OptionalTableDataset(filepath=str(tmp_path / "suspects.parquet"), columns=columns)
    samples = ShardedParquetDataset(path=str(tmp_path / "samples"), engine={"backend": "threading"})
    catalog = DataCatalog(
        {name: MemoryDataset(value, copy_mode="assign") for name, value in inputs.items()}
        | {name: TableDataset(filepath=str(tmp_path / name)) for name in ("review_pool", "review_questions")}
        | {
            "review_page": HtmlDataset(filepath=str(tmp_path / "review.html")),
            "earlier_suspects": suspects,
            "review_samples": samples,
        }
    )
    SequentialRunner().run(create_pipeline(), catalog)
    tables = {name: catalog.load(name) for name in ("review_pool", "review_questions")}
    return tables | {"review_page": (tmp_path / "review.html").read_text()}


def test_a_page_asks_about_a_sample_of_the_labels(tmp_path: Path) -> None:
    made = review(tmp_path, folder_of(tmp_path / "answers"))
    ReviewPool.validate(made["review_pool"])
    ReviewQuestions.validate(made["review_questions"])
    assert made["review_questions"]["clip_id"].nunique() == 12
    assert set(made["review_pool"]["name"]) == {"Dog", "Drum", "Rain"}
    assert all(clip in made["review_page"] for clip in made["review_questions"]["clip_id"])


def test_equal_inputs_give_equal_bytes(tmp_path: Path) -> None:
    first, second = (review(tmp_path, folder_of(tmp_path / "answers")) for _ in range(2))
    assert first["review_page"] == second["review_page"]


def test_what_is_answered_is_not_asked_again(tmp_path: Path) -> None:
    first = review(tmp_path, folder_of(tmp_path / "answers"))["review_questions"]
    rows = "".join(f"{row.clip_id},{row.name},right,anna,1\n" for row in first.itertuples(index=False))
    second = review(tmp_path, answers_in(tmp_path / "answers", {"anna.csv": rows}))["review_questions"]
    assert not pairs(first) & pairs(second)
    assert "nearest" in set(second["drawn"])


def test_a_teacher_that_merging_does_not_use_is_not_asked_about(tmp_path: Path) -> None:
    made = review(tmp_path, folder_of(tmp_path / "answers"), rule="audio_only")
    assert set(made["review_pool"]["modality"]) == {"audio"}
    assert made["review_questions"]["visual_score"].isna().all()


def test_another_budget_makes_no_shard_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    review(tmp_path, folder_of(tmp_path / "answers"))
    with caplog.at_level("INFO"):
        review(tmp_path, folder_of(tmp_path / "answers"), budget=5, even_share=1.0)
    assert any("0 shards written, 2 unchanged" in record.getMessage() for record in caplog.records)
