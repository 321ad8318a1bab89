from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import torch

from tests.tones import VOCABULARY, tone_params, tone_shards
from xmodal_kedro import events
from xmodal_kedro.datasets.checkpoints import CheckpointFolder
from xmodal_kedro.params import TrainParams
from xmodal_kedro.training.checkpoint import plain_weights
from xmodal_kedro.training.data import gather
from xmodal_kedro.training.fit import Fitted, fit

CLIPS, LABELS = tone_shards()


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class KilledError(Exception):
    pass


class DiesAfter(CheckpointFolder):
    """Stores checkpoints, and stops the training right after one of them."""

    def __init__(self, path: Path, step: int) -> None:
        super().__init__(str(path))
        self.last_step = step

    def save(self, step: int, tensors: dict[str, torch.Tensor], state: dict, kept: int) -> None:
        super().save(step, tensors, state, kept)
        if step == self.last_step:
            raise KilledError


def train(params: TrainParams, checkpoint: Path | CheckpointFolder) -> Fitted:
    store = CheckpointFolder(str(checkpoint)) if isinstance(checkpoint, Path) else checkpoint
    return fit(gather(CLIPS, LABELS, VOCABULARY, params), params, store)


def assert_same_weights(one: Fitted, other: Fitted) -> None:
    ours, theirs = plain_weights(one.model), plain_weights(other.model)
    assert ours.keys() == theirs.keys()
    for name, weight in ours.items():
        assert torch.equal(weight, theirs[name]), name


def test_three_tones_are_learnt(tmp_path: Path) -> None:
    fitted = train(tone_params(epochs=6), tmp_path / "state")
    assert fitted.best["validation_map"] > 0.9
    assert fitted.history[-1]["train_loss"] < 0.5 * fitted.history[0]["train_loss"]
    assert fitted.best["validation_map"] == max(row["validation_map"] for row in fitted.history)


def test_equal_seeds_give_equal_bits_and_others_do_not(tmp_path: Path) -> None:
    params = tone_params(mixup_alpha=0.3)
    one, same = train(params, tmp_path / "one"), train(params, tmp_path / "same")
    assert_same_weights(one, same)
    assert one.history == same.history
    other = train(tone_params(mixup_alpha=0.3, seed=1), tmp_path / "other")
    assert other.history != one.history


@pytest.mark.parametrize("model", ["vggish_plus", "mobilenet_v2"])
@pytest.mark.parametrize("epochs_done", [1, 2])
def test_a_killed_training_goes_on_to_the_bits_of_an_unbroken_one(tmp_path: Path, model: str, epochs_done: int) -> None:
    params = tone_params(model=model, epochs=3, mixup_alpha=0.3)
    unbroken = train(params, tmp_path / "unbroken")
    with pytest.raises(KilledError):
        train(params, DiesAfter(tmp_path / "broken", saves=epochs_done))
    resumed = train(params, tmp_path / "broken")
    assert_same_weights(unbroken, resumed)
    assert resumed.history == unbroken.history and resumed.best == unbroken.best


def test_a_finished_training_is_not_done_again(tmp_path: Path) -> None:
    first = train(tone_params(), tmp_path / "state")
    seen: list[Mapping[str, float]] = []
    with events.listening(lambda metrics, _: seen.append(metrics)):
        again = train(tone_params(), tmp_path / "state")
    assert seen == []
    assert_same_weights(first, again)


@pytest.mark.parametrize("change", [{"learning_rate": 1e-3}, {"model": "mobilenet_v2"}, {"epochs": 1}])
def test_a_checkpoint_of_another_training_is_not_used(tmp_path: Path, change: dict) -> None:
    train(tone_params(), tmp_path / "state")
    assert_same_weights(
        train(tone_params(**change), tmp_path / "state"), train(tone_params(**change), tmp_path / "new")
    )


def test_a_global_random_generator_is_left_alone(tmp_path: Path) -> None:
    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    train(tone_params(epochs=1), tmp_path / "state")
    assert torch.equal(before, torch.random.get_rng_state())


def test_steps_and_epochs_are_told_to_listeners(tmp_path: Path) -> None:
    seen: list[tuple[set[str], int]] = []
    with events.listening(lambda metrics, step: seen.append((set(metrics), step))):
        train(tone_params(), tmp_path / "state")
    step_names = {"step.train_loss", "step.learning_rate"}
    epoch_names = {"epoch.train_loss", "epoch.validation_loss", "epoch.validation_map", "epoch.clips_per_s"}
    assert seen == [(step_names, 3), (epoch_names, 3), (step_names, 7), (epoch_names, 7)]


def test_a_loss_that_is_not_finite_ends_training_and_names_the_clips(tmp_path: Path) -> None:
    with pytest.raises(FloatingPointError, match=r"on clips clip-\d+.*lower train\.learning_rate"):
        train(tone_params(learning_rate=1e38), tmp_path / "state")
