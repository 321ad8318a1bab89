"""What only a GPU can show."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.tones import VOCABULARY, tone_embeddings, tone_params, tone_shards
from xmodal_kedro.data.loader import Reader
from xmodal_kedro.datasets.checkpoints import CheckpointFolder
from xmodal_kedro.params import TrainParams
from xmodal_kedro.training.fit import Fitted, fit
from xmodal_kedro.training.learner import Learner
from xmodal_kedro.training.student import Heads
from xmodal_kedro.training.to_device import on_device
from xmodal_kedro.training.training_data import prepare_training_data

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")

CLIPS, LABELS = tone_shards()
SETTINGS = {
    "device": "cuda",
    "precision": "auto",
    "mixup_alpha": 0.3,
    "embedding_weight": 1.0,
    "spec_augment": {"time_masks": 1},
    "report_steps": 1,
}


class KilledError(Exception):
    pass


class Dies(CheckpointFolder):
    """Stops the training right after its third step is stored."""

    def save(self, step: int, tensors: dict, state: dict, kept: int) -> None:
        super().save(step, tensors, state, kept)
        if step == 3:
            raise KilledError


def train(params: TrainParams, checkpoints: CheckpointFolder) -> Fitted:
    return fit(
        prepare_training_data(CLIPS, LABELS, VOCABULARY, params, {"audio": tone_embeddings()}), params, checkpoints
    )


@pytest.mark.parametrize("model", ["vggish", "vggish_plus", "resnet50", "mobilenet_v2"])
def test_a_gpu_takes_about_the_steps_of_a_cpu(tmp_path: Path, model: str) -> None:
    cuda = tone_params(model=model, epochs=1, learning_rate=1e-5, **SETTINGS)
    ours = train(cuda, CheckpointFolder(str(tmp_path / "gpu")))
    theirs = train(cuda.model_copy(update={"device": "cpu"}), CheckpointFolder(str(tmp_path / "cpu")))
    assert ours.history[0]["train_loss"] == pytest.approx(theirs.history[0]["train_loss"], rel=0.05)


def test_a_compiled_training_takes_about_the_same_steps(tmp_path: Path) -> None:
    params = tone_params(learning_rate=1e-5, **SETTINGS)
    plain = train(params, CheckpointFolder(str(tmp_path / "plain")))
    compiled = train(params.model_copy(update={"compile": True}), CheckpointFolder(str(tmp_path / "compiled")))
    assert compiled.history[-1]["train_loss"] == pytest.approx(plain.history[-1]["train_loss"], rel=0.02)
    assert compiled.best["validation_loss"] == pytest.approx(plain.best["validation_loss"], rel=0.02)


def test_a_deterministic_training_goes_on_to_the_bits_of_an_unbroken_one(tmp_path: Path) -> None:
    params = tone_params(deterministic=True, checkpoint_steps=1, **SETTINGS)
    with pytest.raises(KilledError):
        train(params, Dies(str(tmp_path / "broken")))
    unbroken = train(params, CheckpointFolder(str(tmp_path / "unbroken")))
    assert train(params, CheckpointFolder(str(tmp_path / "broken"))).history == unbroken.history


def test_a_step_does_not_wait_for_the_device() -> None:
    params = tone_params(**SETTINGS)
    data = prepare_training_data(CLIPS, LABELS, VOCABULARY, params, {"audio": tone_embeddings()})
    learner = Learner.for_pretraining(params, 3, Heads(4), 4, torch.device("cuda", 0))
    prepared = list(on_device(data.train.batches(0, 0, Reader(pinned=True)), learner, 0))
    learner.step(prepared[0], 0, 1e-3)
    torch.cuda.set_sync_debug_mode("error")
    try:
        losses = [learner.step(batch, step, 1e-3) for step, batch in enumerate(prepared[1:], start=1)]
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert losses and all(loss.isfinite() for loss in losses)


def test_a_batch_that_does_not_fit_is_told_with_one_that_would(tmp_path: Path) -> None:
    params = tone_params(batch_size=28, clip_s=60.0, vggish_plus={"width": 64}, **SETTINGS)
    torch.cuda.set_per_process_memory_fraction(4e9 / torch.cuda.mem_get_info()[1])
    try:
        with pytest.raises(MemoryError, match=r"clips at a time do not fit .*: \d+ would; set train\.batch_size to"):
            train(params, CheckpointFolder(str(tmp_path / "state")))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
