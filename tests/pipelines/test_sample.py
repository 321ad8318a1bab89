"""The pipeline `sample` returns named outputs and the jobs that make them."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import yaml
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from xmodal_kedro.params import AudioTeacherCard, SampleParams, VisualTeacherCard
from xmodal_kedro.pipelines.sample import create_pipeline
from xmodal_kedro.schemas import Truth

PARAMETERS = Path(__file__).resolve().parents[2] / "conf" / "sample" / "parameters"


def _parameters(name: str) -> dict[str, object]:
    return yaml.safe_load((PARAMETERS / f"{name}.yml").read_text())[name]


@pytest.fixture(scope="module")
def outputs() -> dict[str, object]:
    inputs = {
        "params:sample": SampleParams(videos=3, min_s=1.0, max_s=2.0, benchmark_clips_per_class=5),
        "params:visual_teacher": VisualTeacherCard(**_parameters("visual_teacher")),
        "params:audio_teacher": AudioTeacherCard(**_parameters("audio_teacher")),
    }
    catalog = DataCatalog({name: MemoryDataset(value) for name, value in inputs.items()})
    return {name: data.load() for name, data in SequentialRunner().run(create_pipeline(), catalog).items()}


def test_the_shipped_parameters_are_valid() -> None:
    assert SampleParams(**_parameters("sample")) == SampleParams()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"min_s": 20.0, "max_s": 10.0}, "set min_s <= max_s"), ({"benchmark_clips_per_class": 7}, "multiple of 5")],
)
def test_parameters_that_cannot_be_met_are_refused(wrong: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SampleParams(**wrong)


def test_every_output_is_named(outputs: dict[str, object]) -> None:
    names = {
        "source_videos",
        "truth",
        "visual_teacher_files",
        "audio_teacher_files",
        "benchmark_files",
        "labelled_files",
    }
    assert outputs.keys() == names


def test_videos_come_with_their_truth(outputs: dict[str, object]) -> None:
    videos, truth = outputs["source_videos"], outputs["truth"]
    Truth.validate(truth)
    assert set(truth["uri"]) == videos.keys()
    assert len(videos) == 3
    assert all(len(render()) > 1000 for render in videos.values())


@pytest.mark.parametrize(("modality", "classes"), [("visual", 20), ("audio", 16)])
def test_a_teacher_is_weights_and_a_class_list(outputs: dict[str, object], modality: str, classes: int) -> None:
    files = outputs[f"{modality}_teacher_files"]
    assert files.keys() >= {"weights.safetensors", "labels.txt"}
    assert len(files["labels.txt"].decode().splitlines()) == classes
    assert isinstance(files["weights.safetensors"], partial)


def test_a_teachers_folder_holds_what_its_card_names_and_no_more(outputs: dict[str, object]) -> None:
    cards = {"visual": VisualTeacherCard, "audio": AudioTeacherCard}
    for modality, card_class in cards.items():
        card = card_class(**_parameters(f"{modality}_teacher"))
        named = {card.weights, card.labels, getattr(card, "sounds", "")} - {""}
        assert outputs[f"{modality}_teacher_files"].keys() == named


def test_the_benchmark_has_its_table_and_five_clips_a_class(outputs: dict[str, object]) -> None:
    assert len(outputs["benchmark_files"]) == 1 + 5 * 20
