"""The real teachers and the merge, compared with human labels of real videos.

The human label names one sound of each ten-second recording, and not every clip of it holds that sound. So the shares
below are lower bounds of how often labels are right.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from kedro.config import OmegaConfigLoader
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline
from kedro.runner import SequentialRunner

from tests.project import PROJECT
from xmodal_kedro import params, settings
from xmodal_kedro.pipelines import audio_label, clip, ingest, label_check, merge_labels, visual_label

AUDIOSET_NAMES = {
    "VAS class: baby": "Baby cry, infant cry|Crying, sobbing",
    "VAS class: cough": "Cough",
    "VAS class: dog": "Dog|Bark",
    "VAS class: drum": "Drum",
    "VAS class: fireworks": "Fireworks",
    "VAS class: gun": "Gunshot, gunfire",
    "VGGSound: baby laughter": "Baby laughter",
    "VGGSound: canary calling": "Bird|Bird vocalization, bird call, bird song",
    "VGGSound: car engine knocking": "Engine knocking",
    "VGGSound: cow lowing": "Moo|Cattle, bovinae",
    "VGGSound: dog barking": "Dog|Bark",
    "VGGSound: dog bow-wow": "Dog|Bow-wow",
    "VGGSound: firing cannon": "Artillery fire",
    "VGGSound: people cheering": "Cheering",
    "VGGSound: playing bass drum": "Bass drum",
    "VGGSound: playing bongo": "Drum",
    "VGGSound: playing congas": "Drum",
    "VGGSound: playing double bass": "Double bass",
    "VGGSound: printer printing": "Printer",
    "VGGSound: ripping paper": "Tearing",
    "VGGSound: volcano explosion": "Explosion|Eruption",
    "VGGSound: waterfall burbling": "Waterfall",
}
"""AudioSet names of the sounds of VAS and VGGSound; AudioSet has no classes for bongos and congas beside `Drum`."""

PARAMETERS: dict[str, type[params.Params]] = {
    "ingest": params.IngestParams,
    "clip": params.ClipParams,
    "near_duplicates": params.NearDuplicateParams,
    "visual_teacher": params.VisualTeacherCard,
    "audio_teacher": params.AudioTeacherCard,
    "visual_label": params.LabelParams,
    "audio_label": params.AudioLabelParams,
    "merge_labels": params.MergeParams,
}

Check = Callable[..., dict[str, float]]


@pytest.fixture(scope="session")
def check(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Check:
    """Label the videos with human labels once; the function merges with given parameters and returns the metrics."""
    folder = tmp_path_factory.mktemp("human_labels")
    with (real_data / "videos" / "index.csv").open(newline="") as file:
        labelled = [row for row in csv.DictReader(file) if row["human_label"]]
    uris = [str((real_data / "videos" / row["file"]).resolve()) for row in labelled]
    heard = [AUDIOSET_NAMES[row["human_label"]] for row in labelled]
    write(folder / "truth.csv", uris, heard)
    write(folder / "exchanged.csv", uris, heard[len(heard) // 2 :] + heard[: len(heard) // 2])
    places = {
        "data_root": str(folder),
        "source": str(folder / "truth.csv"),
        "teachers": str(real_data / "teachers"),
    }
    label = sum((module.create_pipeline() for module in (ingest, clip, visual_label, audio_label)), Pipeline([]))
    run(label, places)

    @cache
    def merged(rule: str = "union", truth: str = "truth.csv") -> dict[str, float]:
        merge = merge_labels.create_pipeline().to_outputs("labels") + label_check.create_pipeline()
        options = {**places, "truth": str(folder / truth), "merge_labels": {"rule": rule, "min_clips": 1}}
        catalog = run(merge, options)
        metrics: dict[str, float] = catalog["label_check_metrics"].load()
        return metrics

    return merged


def write(path: Path, uris: list[str], heard: list[str]) -> None:
    """Write a truth file."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["uri", "heard"])
        writer.writerows(zip(uris, heard, strict=True))


def run(pipeline: Pipeline, options: dict[str, Any]) -> DataCatalog:
    """Run a pipeline with the configuration of the env `onnx`, in this process."""
    loader = OmegaConfigLoader(str(PROJECT / "conf"), env="onnx", runtime_params=options, **settings.CONFIG_LOADER_ARGS)
    entries = loader["catalog"]
    for entry in entries.values():
        if isinstance(entry, dict) and "engine" in entry:
            entry["engine"] = {"backend": "threading", "workers": 2}
    catalog = DataCatalog.from_config(entries, loader["credentials"])
    for name, model in PARAMETERS.items():
        catalog[f"params:{name}"] = MemoryDataset(model.model_validate(loader["parameters"][name]), copy_mode="assign")
    SequentialRunner().run(pipeline, catalog)
    return catalog


def test_the_right_class_is_among_the_best_five_of_each_teacher(check: Check) -> None:
    metrics = check()
    assert metrics["label_check.audio.heard.clips"] >= 50
    assert metrics["label_check.audio.heard.top5"] > 0.55
    assert metrics["label_check.audio.heard.branch.top1"] > 0.5
    assert metrics["label_check.audio.heard.branch.top5"] > 0.65
    assert metrics["label_check.visual.heard.top5"] > 0.4
    assert metrics["label_check.visual.heard.branch.top5"] > 0.45


@pytest.mark.parametrize(
    ("rule", "min_hit", "min_precision"),
    [("union", 0.6, 0.4), ("agreement", 0.25, 0.75), ("visual_only", 0.35, 0.25), ("audio_only", 0.45, 0.5)],
)
def test_the_right_class_is_a_target_under_each_rule(
    check: Check, rule: str, min_hit: float, min_precision: float
) -> None:
    metrics = check(rule=rule)
    assert metrics["label_check.target.heard.hit"] > min_hit
    assert metrics["label_check.target.heard.branch.precision"] > min_precision


def test_two_teachers_find_more_than_one_and_what_they_agree_on_is_right_more_often(check: Check) -> None:
    metrics_of = {rule: check(rule=rule) for rule in ("union", "agreement", "visual_only", "audio_only")}
    hit = {rule: metrics["label_check.target.heard.hit"] for rule, metrics in metrics_of.items()}
    precision = {rule: metrics["label_check.target.heard.branch.precision"] for rule, metrics in metrics_of.items()}
    assert hit["union"] > max(hit["visual_only"], hit["audio_only"])
    assert precision["agreement"] > 1.3 * max(precision[rule] for rule in ("union", "visual_only", "audio_only"))


def test_labels_compared_with_other_videos_are_seldom_right(check: Check) -> None:
    own, exchanged = check(), check(truth="exchanged.csv")
    for name in ("audio.heard.top5", "visual.heard.top5", "target.heard.hit", "target.heard.branch.hit"):
        assert exchanged[f"label_check.{name}"] < own[f"label_check.{name}"] / 2, name
