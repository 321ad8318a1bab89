"""Checks before the first node of a run: of the teachers, and of what is stored where the run would write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest
import torch
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from kedro_datasets.pandas import ParquetDataset

from tests.teachers.fixtures import (
    brightness_card,
    colour_card,
    pitch_card,
    seeing_card,
    write_brightness_teacher,
    write_colour_teacher,
    write_pitch_teacher,
)
from tests.tones import tone_params
from xmodal_kedro.datasets.checkpoints import CheckpointDataset
from xmodal_kedro.datasets.folder import FolderDataset
from xmodal_kedro.datasets.sharded import ShardedParquetDataset
from xmodal_kedro.hooks import PreflightHooks
from xmodal_kedro.params import AudioLabelParams, LabelParams, TeacherCard, TrainParams, ViewParams
from xmodal_kedro.recipes import recipe_of
from xmodal_kedro.training.checkpoint import identify
from xmodal_kedro.training.loop import train

PIPELINE = Pipeline(
    [
        Node(
            lambda files, card, label: None,
            inputs=["visual_teacher_files", "params:visual_teacher", "params:visual_label"],
            outputs=None,
            name="label",
        )
    ]
)


def check(card: TeacherCard, folder: Path) -> None:
    files = FolderDataset(
        path=str(folder), optional=True, metadata={"missing": "name it with --params teachers=FOLDER"}
    )
    stated = {"params:visual_teacher": card, "params:visual_label": LabelParams()}
    catalog = DataCatalog({"visual_teacher_files": files, **{name: MemoryDataset(of) for name, of in stated.items()}})
    PreflightHooks().before_pipeline_run(PIPELINE, catalog)


def test_a_missing_file_of_a_teacher_comes_with_the_remedy_of_the_catalog(tmp_path: Path) -> None:
    with pytest.raises(click.ClickException, match=r"nowhere has no file 'colour.onnx'.*teachers=FOLDER"):
        check(colour_card(), tmp_path / "nowhere")
    write_colour_teacher(tmp_path)
    check(colour_card(), tmp_path)


def test_what_a_card_says_of_sounds_is_checked_too(tmp_path: Path) -> None:
    write_colour_teacher(tmp_path)
    (tmp_path / "sounds.csv").write_text("label,sound,audioset_id\nviolet,Violin,\n")
    with pytest.raises(click.ClickException, match=r"sounds\.csv.*violet"):
        check(colour_card(sounds="sounds.csv"), tmp_path)


def test_a_model_that_is_in_no_folder_and_not_on_the_hub_comes_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(click.ClickException, match=r"no model 'someone/vit'.*`hf download someone/vit .*teachers="):
        check(seeing_card(weights="someone/vit"), tmp_path / "nowhere")


@pytest.mark.parametrize(("dataset", "index"), [(ShardedParquetDataset, "_index.json"), (FolderDataset, ".index.json")])
@pytest.mark.parametrize(("stored", "said"), [({"scheme": 99}, r"newer version .*scheme 99"), ("{", "is broken")])
def test_an_output_that_could_not_be_saved_is_refused_before_the_work(
    tmp_path: Path, dataset: type, index: str, stored: Any, said: str
) -> None:
    made = Pipeline([Node(lambda: {}, inputs=None, outputs="clips", name="clip")])
    catalog = DataCatalog({"clips": dataset(path=str(tmp_path))})
    PreflightHooks().before_pipeline_run(made, catalog)
    (tmp_path / index).write_text(stored if isinstance(stored, str) else json.dumps(stored))
    with pytest.raises(click.ClickException, match=rf"clips: .*{said}"):
        PreflightHooks().before_pipeline_run(made, catalog)


def check_training(folder: Path, params: TrainParams, notes: dict[str, Any]) -> None:
    """Check a run that trains where a state with these notes is stored."""
    checkpoints = CheckpointDataset(path=str(folder / "checkpoints"))
    checkpoints.load().save(5, {"weight": torch.zeros(1)}, notes, kept=1)
    stated = {"params:train": MemoryDataset(params), "training_checkpoints": checkpoints}
    weights = FolderDataset(path=str(folder / params.model / "weights"))
    node = Node(lambda stored, train: {}, ["training_checkpoints", "params:train"], "model_weights", name="train")
    PreflightHooks().before_pipeline_run(Pipeline([node]), DataCatalog(stated | {"model_weights": weights}))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"train.epochs": "77"}, r"train\.epochs.*Set that back"),
        ({"the recipe of training": "train 99"}, r"the recipe of training.*Install the version"),
        ({"the format of checkpoints": "99"}, "newer version"),
    ],
)
def test_an_unfinished_training_that_this_run_is_not_is_refused_before_the_work(
    tmp_path: Path, changed: dict[str, str], said: str
) -> None:
    params = TrainParams(model="vggish_plus")
    identity = identify(params, {"clips": "0" * 32}, recipe_of(train))
    check_training(tmp_path, params, {"identity": identity, "step": 5, "finished": False})
    if said != "newer version":
        check_training(tmp_path, params, {"identity": identity | changed, "step": 5, "finished": True})
    with pytest.raises(click.ClickException, match=said):
        check_training(tmp_path, params, {"identity": identity | changed, "step": 5, "finished": False})


def start_training(folder: Path, **changes: Any) -> None:
    """The checks before a training with the pitch teacher of a folder."""
    files = FolderDataset(
        path=str(folder), optional=True, metadata={"missing": "name it with --params teachers=FOLDER"}
    )
    inputs = {"params:train": tone_params(**changes), "params:audio_teacher": pitch_card()}
    catalog = DataCatalog({"live_teacher_files": files, **{name: MemoryDataset(of) for name, of in inputs.items()}})
    catalog["model_weights"] = ParquetDataset(filepath="vggish_plus/weights")
    node = Node(lambda *_: None, inputs=["live_teacher_files", *inputs], outputs=None, name="train")
    PreflightHooks().before_pipeline_run(Pipeline([node]), catalog)


def test_a_training_needs_a_folder_of_teachers_only_with_a_teacher_in_the_loop(tmp_path: Path) -> None:
    start_training(tmp_path / "nowhere")
    with pytest.raises(click.ClickException, match=r"live_teacher_files: .*'pitch\.onnx'.*teachers=FOLDER"):
        start_training(tmp_path / "nowhere", live_teacher={"enabled": True})
    write_pitch_teacher(tmp_path)
    start_training(tmp_path, live_teacher={"enabled": True})


@pytest.mark.parametrize("modality", ["audio", "visual"])
def test_an_embedding_that_is_learnt_and_not_kept_is_refused_before_the_work(tmp_path: Path, modality: str) -> None:
    write_pitch_teacher(tmp_path)
    write_brightness_teacher(tmp_path)
    weight = {"audio": "embedding_weight", "visual": "visual_embedding_weight"}[modality]
    embedding = {"audio": "scores", "visual": "means"}[modality]
    card = (pitch_card if modality == "audio" else brightness_card)(output__embedding=embedding)

    def start(kept: bool) -> None:
        files = f"{modality}_teacher_files"
        inputs = {
            files: FolderDataset(path=str(tmp_path)),
            "params:train": MemoryDataset(tone_params(**{weight: 1.0})),
            f"params:{modality}_teacher": MemoryDataset(card),
            f"params:{modality}_label": MemoryDataset(LabelParams(embeddings=kept, device="cpu")),
        }
        node = Node(lambda *_: None, inputs=[*inputs], outputs=None, name="train")
        catalog = DataCatalog(inputs | {"model_weights": ParquetDataset(filepath="vggish_plus/weights")})
        PreflightHooks().before_pipeline_run(Pipeline([node]), catalog)

    start(kept=True)
    with pytest.raises(click.ClickException, match=rf"train\.{weight}.*{modality}_label\.embeddings"):
        start(kept=False)


def test_views_that_are_learnt_and_not_made_are_refused_before_the_work(tmp_path: Path) -> None:
    write_pitch_teacher(tmp_path)

    def start(count: int) -> None:
        inputs = {
            "audio_teacher_files": FolderDataset(path=str(tmp_path)),
            "params:train": MemoryDataset(tone_params(views_weight=1.0)),
            "params:audio_teacher": MemoryDataset(pitch_card()),
            "params:audio_label": MemoryDataset(AudioLabelParams(views=ViewParams(count=count), device="cpu")),
        }
        node = Node(lambda *_: None, inputs=[*inputs], outputs=None, name="train")
        catalog = DataCatalog(inputs | {"model_weights": ParquetDataset(filepath="vggish_plus/weights")})
        PreflightHooks().before_pipeline_run(Pipeline([node]), catalog)

    start(count=2)
    with pytest.raises(click.ClickException, match=r"train\.views_weight.*audio_label\.views\.count"):
        start(count=0)


def test_an_optional_dataset_that_was_never_made_does_not_stop_a_run(tmp_path: Path) -> None:
    node = Node(lambda _: None, inputs="embeddings", outputs=None, name="train")
    for optional in (True, False):
        shards = ShardedParquetDataset(path=str(tmp_path / "never"), optional=optional)
        if optional:
            PreflightHooks().before_pipeline_run(Pipeline([node]), DataCatalog({"embeddings": shards}))
        else:
            with pytest.raises(click.ClickException, match="embeddings: nothing at"):
                PreflightHooks().before_pipeline_run(Pipeline([node]), DataCatalog({"embeddings": shards}))


def test_an_embedding_that_the_teacher_in_the_loop_does_not_give_is_refused_before_the_work(tmp_path: Path) -> None:
    write_pitch_teacher(tmp_path)
    with pytest.raises(click.ClickException, match=r"output\.embedding"):
        start_training(tmp_path, live_teacher={"enabled": True}, embedding_weight=1.0)
