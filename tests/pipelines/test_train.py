from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import pandas as pd
import pytest
import torch
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from tests.fakes import folder_of
from tests.teachers.fixtures import pitch_card, write_pitch_teacher
from tests.tones import TONES_HZ, VOCABULARY, tone_params, tone_shards
from xmodal_kedro.datasets.checkpoints import CheckpointDataset
from xmodal_kedro.features.log_mel import LogMel
from xmodal_kedro.models.card import restore_backbone
from xmodal_kedro.params import TrainParams
from xmodal_kedro.pipelines.train import create_pipeline
from xmodal_kedro.pipelines.train.nodes import plot_training_curves, train_model
from xmodal_kedro.schemas import TrainingHistory


def run(folder: Path, params: TrainParams) -> dict:
    """What `train_model` gives, with a teacher in `folder` where there is one."""
    clips, labels = tone_shards()
    catalog = DataCatalog(
        {
            "clips": MemoryDataset(clips, copy_mode="assign"),
            "labels": MemoryDataset(labels, copy_mode="assign"),
            "label_vocabulary": MemoryDataset(VOCABULARY),
            "teacher_embeddings": MemoryDataset({}, copy_mode="assign"),
            "visual_teacher_embeddings": MemoryDataset({}, copy_mode="assign"),
            "teacher_views": MemoryDataset({}, copy_mode="assign"),
            "training_checkpoints": CheckpointDataset(path=str(folder / "state")),
            "live_teacher_files": MemoryDataset(folder_of(folder), copy_mode="assign"),
            "params:audio_teacher": MemoryDataset(pitch_card()),
            "params:train": MemoryDataset(params),
        }
    )
    pipeline = create_pipeline().to_nodes("train_model")
    return {name: dataset.load() for name, dataset in SequentialRunner().run(pipeline, catalog).items()}


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict:
    return run(tmp_path_factory.mktemp("train"), tone_params())


def test_the_parameters_are_typed_for_kedro_without_loading_torch() -> None:
    assert get_type_hints(train_model)["train"] is TrainParams
    code = "import sys, xmodal_kedro.pipelines.train; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_history_is_a_valid_table_with_a_row_for_each_epoch(outputs: dict) -> None:
    assert list(TrainingHistory.validate(outputs["training_history"])["epoch"]) == [0, 1]
    assert outputs["model_card"]["best"] in outputs["training_history"].to_dict("records")


def test_weights_and_card_make_a_network_that_runs(outputs: dict) -> None:
    card = json.loads(json.dumps(outputs["model_card"]))
    model = restore_backbone(card, outputs["model_weights"])
    with torch.inference_mode():
        logits, _ = model(LogMel(card["front_end"]["log_offset"])(torch.zeros(1, 16_000)))
    assert logits.shape == (1, len(TONES_HZ)) and card["classes"] == list(TONES_HZ)


def test_a_teacher_in_the_loop_is_opened_from_its_folder_and_missed_there(tmp_path: Path, outputs: dict) -> None:
    params = tone_params(live_teacher={"enabled": True})
    with pytest.raises(FileNotFoundError, match=r"pitch\.onnx"):
        run(tmp_path, params)
    write_pitch_teacher(tmp_path)
    taught = run(tmp_path, params)
    assert taught["model_weights"].keys() == outputs["model_weights"].keys()
    losses, plain = (of["training_history"]["train_loss"] for of in (taught, outputs))
    assert (losses > plain).all()


def test_the_curves_show_both_losses_and_the_map_of_every_epoch() -> None:
    rows = [
        {"epoch": e, "train_loss": 0.5, "validation_loss": 0.6, "validation_map": 0.3, "learning_rate": 1e-3}
        for e in range(3)
    ]
    figure = plot_training_curves(TrainingHistory.validate(pd.DataFrame(rows)))
    assert [trace.name for trace in figure.data] == ["training loss", "validation loss", "validation mAP"]
    assert list(figure.data[0].x) == [1, 2, 3]
