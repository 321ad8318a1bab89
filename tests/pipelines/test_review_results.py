"""The pipeline review_results: from files of answers to precision, thresholds, suspects, a truth and a page."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from tests.fakes import folder_of
from tests.labels.merging import merge_params
from tests.pipelines.test_review import CARD
from tests.review.corpus import CLASSES, answers_in, corpus_of, pool, random_labels
from xmodal_kedro import schemas
from xmodal_kedro.datasets.files import TableDataset
from xmodal_kedro.errors import UserError
from xmodal_kedro.params import AudioLabelParams, ReviewParams
from xmodal_kedro.pipelines.review_results import create_pipeline
from xmodal_kedro.storage import Folder

CLIPS = [f"clip-{number:03d}" for number in range(60)]
LABELS = random_labels(CLIPS)
PARAMS = ReviewParams(score_bins=2, precision=0.8, confidence=0.8)
TABLES = {
    "reviewed_clips": schemas.ReviewedClips,
    "reviewer_agreement": schemas.ReviewerAgreement,
    "class_precision": schemas.ClassPrecision,
    "precision_thresholds": schemas.PrecisionThresholds,
    "review_suspects": schemas.ReviewSuspects,
}


def results(tmp_path: Path, answers: Folder) -> dict[str, Any]:
    """Run the pipeline."""
    corpus = corpus_of(CLIPS, LABELS)
    inputs: dict[str, Any] = {
        "review_answers": answers,
        "review_pool": pool(corpus, PARAMS),
        "clips": corpus.clips,
        "visual_labels": corpus.labels["visual"],
        "audio_labels": corpus.labels["audio"],
        "candidate_classes": CLASSES[0],
        "label_classes": CLASSES[1],
        "videos": pd.DataFrame({"video_id": [f"{clip}-video" for clip in CLIPS], "uri": CLIPS}),
        "audio_teacher_files": folder_of(tmp_path / "none"),
        "params:audio_teacher": CARD,
        "params:audio_label": AudioLabelParams.model_validate({}),
        "params:merge_labels": merge_params(visual_names="sounds"),
        "params:review": PARAMS,
    }
    catalog = DataCatalog(
        {name: MemoryDataset(value, copy_mode="assign") for name, value in inputs.items()}
        | {name: TableDataset(filepath=str(tmp_path / f"{name}.parquet")) for name in TABLES}
    )
    outputs = SequentialRunner().run(create_pipeline(), catalog)
    return {name: model.validate(catalog.load(name)) for name, model in TABLES.items()} | {
        name: output.load() for name, output in outputs.items() if name not in TABLES
    }


def rows(reviewer: str, right_from: float = 0.5) -> str:
    """Answers to all questions: right where the audio teacher's score is high."""
    return "".join(
        f"{clip},{name},{'right' if score >= right_from else 'wrong'},{reviewer},3\n"
        for clip, scores in LABELS["audio"].items()
        for name, score in scores.items()
    )


def test_answers_become_precision_thresholds_a_truth_and_a_page(tmp_path: Path) -> None:
    made = results(tmp_path, answers_in(tmp_path / "answers", {"anna.csv": rows("anna")}))
    table = made["class_precision"]
    audio = table[(table["modality"] == "audio") & (table["threshold"] == 0.5)]
    assert (audio["precision"] == 1).all() and (audio["recall"] == 1).all() and len(audio) == 3
    chosen = made["precision_thresholds"].set_index(["modality", "name"])["threshold"]
    assert chosen["audio"].between(0.25, 0.5).all()
    assert set(made["reviewed_truth"].columns) == {"uri", "start_s", "end_s", "heard"}
    metrics = made["review_metrics"]
    answered = sum(map(len, LABELS["audio"].values()))
    assert metrics["review.questions"] == metrics["review.answers"] == answered
    assert metrics["review.answers_per_minute"] == pytest.approx(20)
    assert "<svg" in made["review_results_page"]


def test_reviewers_who_differ_are_reported_and_asked_about_first(tmp_path: Path) -> None:
    files = {"anna.csv": rows("anna"), "ben.csv": rows("ben", right_from=0.6)}
    made = results(tmp_path, answers_in(tmp_path / "answers", files))
    (agreement,) = made["reviewer_agreement"].to_dict("records")
    conflicts = made["reviewed_clips"].query("answer == 'conflict'")
    assert agreement["questions"] - agreement["same"] == len(conflicts) > 0
    assert (made["review_suspects"]["reason"].head(len(conflicts)) == "reviewers_differ").all()
    assert "anna and ben" in made["review_results_page"]


def test_without_answers_all_is_empty_and_a_warning_says_where_they_belong(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        made = results(tmp_path, folder_of(tmp_path / "answers"))
    assert all(len(made[name]) == 0 for name in TABLES if name != "class_precision")
    assert made["class_precision"]["precision"].isna().all()
    assert any("there are no answers in" in record.getMessage() for record in caplog.records)


def test_answers_about_clips_that_are_gone_are_kept_and_not_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = {"anna.csv": "gone,Dog,right,anna,1\nclip-000,Dog,right,anna,1\n"}
    with caplog.at_level(logging.WARNING):
        made = results(tmp_path, answers_in(tmp_path / "answers", files))
    assert made["reviewed_clips"]["clip_id"].tolist() == ["clip-000"]
    assert "gone" in (tmp_path / "answers/anna.csv").read_text()
    assert sum("no longer there" in record.getMessage() for record in caplog.records) == 1


def test_a_class_with_one_answer_is_no_error(tmp_path: Path) -> None:
    made = results(tmp_path, answers_in(tmp_path / "answers", {"anna.csv": "clip-000,Dog,wrong,anna,1\n"}))
    assert made["precision_thresholds"]["threshold"].isna().all()


def test_a_wrong_column_ends_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "answers").mkdir()
    (tmp_path / "answers/a.csv").write_text("clip,label\nc,Dog\n")
    with pytest.raises(UserError, match=r"answers a\.csv has no column clip_id"):
        results(tmp_path, folder_of(tmp_path / "answers"))


def test_equal_inputs_give_equal_bytes(tmp_path: Path) -> None:
    answers = answers_in(tmp_path / "answers", {"b.csv": rows("ben", 0.6), "a.csv": rows("anna")})
    first, second = results(tmp_path, answers), results(tmp_path, answers)
    assert first["review_results_page"] == second["review_results_page"]
    pd.testing.assert_frame_equal(first["review_suspects"], second["review_suspects"])
