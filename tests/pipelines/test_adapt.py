"""The pipeline `adapt`, from labelled files to a classifier that is loaded and used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from tests.evaluation.sounds import write_tone
from tests.fakes import folder_of
from tests.network_files import Trained, sound
from xmodal_kedro import load
from xmodal_kedro.datasets.files import HtmlDataset, JsonDataset, OptionalWeightsDataset, TableDataset
from xmodal_kedro.datasets.folder import FolderDataset
from xmodal_kedro.datasets.sharded import ShardedParquetDataset
from xmodal_kedro.params import AdaptParams, AudioTeacherCard
from xmodal_kedro.pipelines.adapt import create_pipeline
from xmodal_kedro.schemas import AdaptClasses, AdaptCurve, AdaptPredictions, AdaptResults
from xmodal_kedro.storage import Folder

PITCHES = {"kettle": 300.0, "tap": 900.0, "knock": 3_000.0}
CLIPS = 9
TABLES = ("adapt_results", "adapt_predictions", "adapt_classes", "adapt_curve")
NO_REVIEW = pd.DataFrame(columns=["clip_id", "video_id", "right", "wrong", "audio"])
TEACHER = AudioTeacherCard.model_validate(
    {
        "backend": "sample",
        "weights": "weights",
        "labels": "labels.txt",
        "input": {"kind": "log_mel", "tensor": "x"},
        "output": {"tensor": "scores"},
    }
)


def labelled(root: Path) -> Folder:
    for name, hz in PITCHES.items():
        (root / name).mkdir(parents=True)
        for at in range(CLIPS):
            write_tone(root / name / f"{at}.wav", hz * 1.03**at, 1.0 + at / 10)
    return folder_of(root)


def one_thread(path: Path) -> ShardedParquetDataset:
    return ShardedParquetDataset(path=str(path), engine={"backend": "threading", "workers": 1})


def run(root: Path, files: Folder, confirmed: pd.DataFrame = NO_REVIEW, **params: Any) -> DataCatalog:
    """A run whose results are below `root`; the network is below `root / network`."""
    (root / "network").mkdir(parents=True, exist_ok=True)
    trained, out = Trained(root / "network"), root / "made"
    catalog = DataCatalog(
        {
            "labelled_files": MemoryDataset(files, copy_mode="assign"),
            "confirmed_clips": MemoryDataset(confirmed),
            "model_weights": MemoryDataset(trained.weights, copy_mode="assign"),
            "model_card": MemoryDataset(trained.card),
            "audio_teacher_files": MemoryDataset(Folder("none", {}), copy_mode="assign"),
            "params:audio_teacher": MemoryDataset(TEACHER, copy_mode="assign"),
            "params:adapt": MemoryDataset(AdaptParams.model_validate({"device": "cpu"} | params), copy_mode="assign"),
            "adapt_sounds": one_thread(root / "sounds"),
            "adapt_embeddings": one_thread(root / "embeddings"),
            "adapt_trainings": one_thread(root / "trainings"),
            "adapt_targets": MemoryDataset(copy_mode="assign"),
            "adapt_choice": MemoryDataset(copy_mode="assign"),
            "classifier_weights": OptionalWeightsDataset(filepath=str(out / "weights.safetensors"), backend="torch"),
            "classifier_head": OptionalWeightsDataset(filepath=str(out / "head.safetensors"), backend="torch"),
            "classifier_teacher": FolderDataset(path=str(out / "teacher"), optional=True),
            "classifier_card": JsonDataset(filepath=str(out / "card.json")),
            "adapt_metrics": JsonDataset(filepath=str(root / "metrics.json")),
            "adapt_report": HtmlDataset(filepath=str(root / "report.html")),
        }
        | {name: TableDataset(filepath=str(root / f"{name}.parquet")) for name in TABLES}
    )
    SequentialRunner().run(create_pipeline(), catalog)
    return catalog


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, DataCatalog]:
    root = tmp_path_factory.mktemp("adapt")
    return root, run(root, labelled(root / "own"))


def test_the_classifier_knows_new_sounds_of_its_classes(made: tuple[Path, DataCatalog], tmp_path: Path) -> None:
    classifier = load(made[0] / "made", "cpu")
    assert classifier.classes == sorted(PITCHES)
    for name, hz in PITCHES.items():
        write_tone(tmp_path / "new.wav", hz * 1.13, 1.6)
        (best, score), *_ = classifier.tag(tmp_path / "new.wav")
        assert (best, score > 0.5) == (name, True)


def test_tables_are_valid_and_every_clip_is_classified_by_other_folds(made: tuple[Path, DataCatalog]) -> None:
    catalog = made[1]
    predictions = AdaptPredictions.validate(catalog.load("adapt_predictions"))
    assert (predictions.groupby("clip")["score"].sum() - 1).abs().max() < 1e-6
    assert predictions["clip"].nunique() == CLIPS * len(PITCHES)
    assert len(AdaptClasses.validate(catalog.load("adapt_classes"))) == 3
    AdaptCurve.validate(catalog.load("adapt_curve"))
    results = AdaptResults.validate(catalog.load("adapt_results"))
    assert set(results["representation"]) == {"network", "log_mel"}
    assert set(results.loc[results["used"], "representation"]) == {"network"}
    accuracy = catalog.load("adapt_metrics")["adapt.network.accuracy"]
    assert json.loads((made[0] / "made" / "card.json").read_text())["evaluation"]["accuracy"] == accuracy > 0.9


def test_the_report_names_classes_and_what_to_do(made: tuple[Path, DataCatalog]) -> None:
    page = (made[0] / "report.html").read_text()
    assert all(name in page for name in (*PITCHES, "learning-curve", "confusion", "--sure"))


def test_equal_work_gives_equal_bytes(made: tuple[Path, DataCatalog], tmp_path: Path) -> None:
    run(tmp_path, folder_of(made[0] / "own"))
    for name in ("head.safetensors", "card.json"):
        assert (tmp_path / "made" / name).read_bytes() == (made[0] / "made" / name).read_bytes()


def test_a_second_run_decodes_and_embeds_only_what_is_new(made: tuple[Path, DataCatalog]) -> None:
    root, _ = made
    shards = sorted((root / "embeddings").glob("*.parquet"))
    before = [shard.stat().st_mtime_ns for shard in shards]
    run(root, folder_of(root / "own"))
    assert [shard.stat().st_mtime_ns for shard in shards] == before


def test_answers_of_a_review_make_classes_that_do_not_exclude_each_other(tmp_path: Path) -> None:
    rows = []
    for at in range(8):
        for name, hz in (("kettle", 300.0), ("tap", 3_000.0)):
            audio = (sound(hz * 1.03**at) * 8_000).clip(-32_000, 32_000).astype("<i2").tobytes()
            other = "tap" if name == "kettle" else "kettle"
            rows.append((f"{name}{at}", f"video {name} {at}", name, other, audio))
    catalog = run(tmp_path, Folder("none", {}), pd.DataFrame(rows, columns=NO_REVIEW.columns))
    card = catalog.load("classifier_card")
    assert not card["exclusive"] and card["evaluation"]["mean_average_precision"] > 0.9
    scores = dict(load(tmp_path / "made", "cpu").tag(sound(310) / 4, 16_000))
    assert scores["kettle"] > 0.5 > scores["tap"]


def test_a_network_trained_further_is_a_classifier_too(tmp_path: Path) -> None:
    tune = {"epochs": 1, "batch_size": 8}
    catalog = run(tmp_path, labelled(tmp_path / "own"), mode="fine_tune", folds=2, fine_tune=tune)
    card = catalog.load("classifier_card")
    assert card["representation"] == "fine_tuned" and not (tmp_path / "made" / "head.safetensors").exists()
    scores = load(tmp_path / "made", "cpu").predict([sound(440)], 16_000).scores
    np.testing.assert_allclose(scores.sum(), 1, atol=1e-5)
    assert set(catalog.load("adapt_results")["representation"]) == {"network", "log_mel", "fine_tuned"}
