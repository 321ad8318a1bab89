"""Checks of the teachers before the first node of a run."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline

from tests.teachers.fixtures import colour_card, seeing_card, write_colour_teacher
from xmodal_kedro.datasets.folder import FolderDataset
from xmodal_kedro.hooks import PreflightHooks
from xmodal_kedro.params import LabelParams, TeacherCard

PIPELINE = Pipeline([Node(lambda files: None, inputs="visual_teacher_files", outputs=None, name="label")])


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
