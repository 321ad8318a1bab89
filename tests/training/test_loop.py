from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from tests.tones import VOCABULARY, tone_embeddings, tone_params, tone_shards
from tests.training.recorded import recorded_losses
from xmodal_kedro import metric_callbacks
from xmodal_kedro.datasets.checkpoints import CheckpointFolder
from xmodal_kedro.errors import UserError
from xmodal_kedro.params import TrainParams
from xmodal_kedro.recipes import Recipe, version_0_1
from xmodal_kedro.training import loop
from xmodal_kedro.training.checkpoint import plain_weights
from xmodal_kedro.training.fit import Fitted, fit
from xmodal_kedro.training.interruption import Interruption
from xmodal_kedro.training.training_data import prepare_training_data

CLIPS, LABELS = tone_shards()
EMBEDDINGS = tone_embeddings()


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


MASKS = {"spec_augment": {"time_masks": 1, "time_frames": 20, "band_masks": 1, "bands": 8}}
STEPS = 4
"""Of an epoch of the tones."""


def train(params: TrainParams, checkpoint: Path | CheckpointFolder) -> Fitted:
    store = CheckpointFolder(str(checkpoint)) if isinstance(checkpoint, Path) else checkpoint
    return fit(prepare_training_data(CLIPS, LABELS, VOCABULARY, params, {"audio": EMBEDDINGS}), params, store)


@dataclass
class Reported:
    """A training, and the losses that it reported by step."""

    fitted: Fitted
    losses: dict[int, float]


def reported(params: TrainParams, checkpoint: Path | CheckpointFolder) -> Reported:
    with recorded_losses() as losses:
        return Reported(train(params, checkpoint), losses)


def stop_after(step: int, params: TrainParams, folder: Path) -> None:
    with pytest.raises(KilledError):
        train(params, DiesAfter(folder, step))


def assert_same_weights(one: Fitted, other: Fitted) -> None:
    ours, theirs = plain_weights(one.model), plain_weights(other.model)
    assert ours.keys() == theirs.keys()
    for name, weight in ours.items():
        assert torch.equal(weight, theirs[name]), name


def test_three_tones_are_learnt(tmp_path: Path) -> None:
    fitted = train(tone_params(epochs=8, vggish_plus={"width": 16}), tmp_path / "state")
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


def test_the_teachers_embedding_is_learnt_beside_the_labels_and_left_behind(tmp_path: Path) -> None:
    labels_alone = train(tone_params(), tmp_path / "labels")
    both = train(tone_params(embedding_weight=1.0), tmp_path / "both")
    assert plain_weights(both.model).keys() == plain_weights(labels_alone.model).keys()
    assert both.history[0]["train_loss"] > labels_alone.history[0]["train_loss"] + 0.5  # from 1, what knows nothing has
    long = train(tone_params(embedding_weight=1.0, epochs=8, vggish_plus={"width": 16}), tmp_path / "long")
    assert long.history[-1]["train_loss"] < 0.5 * long.history[0]["train_loss"]


@pytest.mark.parametrize(
    ("model", "step"), [("mobilenet_v2", 5), *(("vggish_plus", step) for step in (1, STEPS - 1, STEPS + 2, 2 * STEPS))]
)
def test_a_training_killed_at_any_step_goes_on_to_the_bits_of_an_unbroken_one(
    tmp_path: Path, model: str, step: int
) -> None:
    settings = {"mixup_alpha": 0.3, "embedding_weight": 0.5, "checkpoint_steps": 1, "report_steps": 3}
    params = tone_params(model=model, epochs=3, **settings, **MASKS)
    unbroken = reported(params, tmp_path / "unbroken")
    stop_after(step, params, tmp_path / "broken")
    resumed = reported(params, tmp_path / "broken")
    assert_same_weights(unbroken.fitted, resumed.fitted)
    assert resumed.fitted.history == unbroken.fitted.history and resumed.fitted.best == unbroken.fitted.best
    assert resumed.losses.items() <= unbroken.losses.items() and max(resumed.losses) == max(unbroken.losses)


def train_until_killed(params: TrainParams, folder: Path, step: int) -> None:
    """Ends by signal 9 when the loss of `step` is reported, which is one step later."""
    torch.set_num_threads(1)

    def kill(_: Mapping[str, float], reported: int) -> None:
        if reported == step:
            os.kill(os.getpid(), signal.SIGKILL)

    with metric_callbacks.listening(kill):
        train(params, folder)


@pytest.mark.parametrize("step", [2, 4, 9])
def test_a_training_killed_by_signal_9_goes_on_to_the_bits_of_an_unbroken_one(tmp_path: Path, step: int) -> None:
    params = tone_params(epochs=3, mixup_alpha=0.3, checkpoint_steps=3, report_steps=1, **MASKS)
    forks = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload([__name__])
    victim = forks.Process(target=train_until_killed, args=(params, tmp_path / "broken", step))
    victim.start()
    victim.join()
    assert victim.exitcode == -signal.SIGKILL
    unbroken, resumed = train(params, tmp_path / "unbroken"), train(params, tmp_path / "broken")
    assert_same_weights(unbroken, resumed)
    assert resumed.history == unbroken.history and resumed.best == unbroken.best


def train_until_signalled(params: TrainParams, folder: Path, step: int, number: int) -> None:
    """Gets the signal while the loss of `step` is reported, which is one step later."""
    torch.set_num_threads(1)

    def send(_: Mapping[str, float], reported: int) -> None:
        if reported == step:
            os.kill(os.getpid(), number)

    with metric_callbacks.listening(send):
        train(params, folder)


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 1), (signal.SIGTERM, 128 + signal.SIGTERM)])
def test_a_training_that_is_interrupted_stores_its_state_first(tmp_path: Path, number: int, exit_code: int) -> None:
    params = tone_params(epochs=3, mixup_alpha=0.3, checkpoint_steps=1_000, report_steps=1, **MASKS)
    forks = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload([__name__])
    victim = forks.Process(target=train_until_signalled, args=(params, tmp_path / "broken", STEPS, number))
    victim.start()
    victim.join()
    assert victim.exitcode == exit_code
    stored = CheckpointFolder(str(tmp_path / "broken")).load()
    assert stored is not None and stored[1]["step"] == STEPS + 2
    unbroken, resumed = train(params, tmp_path / "unbroken"), train(params, tmp_path / "broken")
    assert_same_weights(unbroken, resumed)
    assert resumed.history == unbroken.history


def test_the_state_is_stored_after_each_epoch(tmp_path: Path) -> None:
    store = DiesAfter(tmp_path, 2 * STEPS)
    with pytest.raises(KilledError):
        train(tone_params(epochs=4, checkpoint_steps=1_000), store)
    stored = store.load()
    assert stored is not None and stored[1]["step"] == 2 * STEPS


def test_a_second_interruption_acts_at_once() -> None:
    with pytest.raises(KeyboardInterrupt), Interruption() as interruption:
        signal.raise_signal(signal.SIGINT)
        assert interruption.number == signal.SIGINT
        signal.raise_signal(signal.SIGINT)
        pytest.fail("it went on")


def test_signals_that_are_ignored_stay_ignored() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with Interruption() as interruption:
            signal.raise_signal(signal.SIGTERM)
        assert interruption.number is None
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_training_killed_twice_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    params = tone_params(checkpoint_steps=1)
    for step in (2, 5):
        with pytest.raises(KilledError):
            train(params, DiesAfter(tmp_path / "broken", step))
    assert_same_weights(train(params, tmp_path / "unbroken"), train(params, tmp_path / "broken"))


def test_how_often_the_state_is_stored_changes_nothing(tmp_path: Path) -> None:
    often, never = tone_params(checkpoint_steps=1), tone_params(checkpoint_steps=1_000)
    one, other = train(often, tmp_path / "often"), train(never, tmp_path / "never")
    assert_same_weights(one, other)
    assert one.history == other.history


def test_only_the_latest_checkpoints_are_kept(tmp_path: Path) -> None:
    train(tone_params(checkpoint_steps=1, checkpoints_kept=3), tmp_path / "state")
    names = sorted(path.name for path in (tmp_path / "state").iterdir())
    assert names == [f"step-{step:09d}.safetensors" for step in (6, 7, 8)]


def test_a_spoilt_checkpoint_gives_way_to_the_one_before(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    params = tone_params(checkpoint_steps=1)
    with pytest.raises(KilledError):
        train(params, DiesAfter(tmp_path / "state", 5))
    (tmp_path / "state" / "step-000000005.safetensors").write_bytes(b"half a file")
    with caplog.at_level("INFO"):
        resumed = train(params, tmp_path / "state")
    assert "step-000000005.safetensors cannot be read" in caplog.text
    assert f"Training goes on after 4 of {2 * STEPS} steps" in caplog.text
    assert_same_weights(train(params, tmp_path / "unbroken"), resumed)


def test_a_finished_training_is_not_done_again(tmp_path: Path) -> None:
    first = train(tone_params(), tmp_path / "state")
    again = reported(tone_params(), tmp_path / "state")
    assert again.losses == {}
    assert_same_weights(first, again.fitted)


@pytest.mark.parametrize("change", [{"learning_rate": 1e-3}, {"model": "mobilenet_v2"}, {"epochs": 1}])
def test_a_finished_training_of_other_parameters_gives_way(tmp_path: Path, change: dict) -> None:
    train(tone_params(), tmp_path / "state")
    assert_same_weights(
        train(tone_params(**change), tmp_path / "state"), train(tone_params(**change), tmp_path / "new")
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"learning_rate": 1e-3}, "train.learning_rate was 0.003 and is 0.001"),
        ({"model": "mobilenet_v2"}, 'train.model was "vggish_plus" and is "mobilenet_v2"'),
        ({"spec_augment": {"time_masks": 2}}, "train.spec_augment.time_masks was 0 and is 2"),
    ],
)
def test_an_unfinished_training_of_other_parameters_is_not_overwritten(tmp_path: Path, change: dict, said: str) -> None:
    stop_after(5, tone_params(checkpoint_steps=1), tmp_path / "state")
    with pytest.raises(ValueError, match=rf"unfinished .* stored in .*state \(step 5\).*: {said}\. Set that back"):
        train(tone_params(checkpoint_steps=1, **change), tmp_path / "state")
    train(tone_params(checkpoint_steps=1), tmp_path / "state")


def test_a_vocabulary_that_changed_since_the_checkpoint_is_an_error(tmp_path: Path) -> None:
    params = tone_params(checkpoint_steps=1)
    stop_after(5, params, tmp_path / "state")
    renamed = prepare_training_data(CLIPS, LABELS, VOCABULARY.assign(name=["a", "b", "c"]), params)
    with pytest.raises(ValueError, match=r"it is not this one: label_vocabulary has changed\. Set that back"):
        fit(renamed, params, CheckpointFolder(str(tmp_path / "state")))


def test_a_checkpoint_of_another_recipe_version_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    params = tone_params(checkpoint_steps=1)
    stop_after(5, params, tmp_path / "state")
    monkeypatch.setattr(loop.train, "recipe", Recipe("train", 7))
    with pytest.raises(UserError, match=r"the recipe of training was train 1 and is train 7"):
        train(params, tmp_path / "state")


@pytest.mark.parametrize("change", [{"reader_threads": 3}, {"report_steps": 2}, {"checkpoint_steps": 3}])
def test_what_changes_the_pace_alone_may_differ_when_training_goes_on(tmp_path: Path, change: dict) -> None:
    params = tone_params(checkpoint_steps=1)
    stop_after(5, params, tmp_path / "state")
    resumed = train(params.model_copy(update=change), tmp_path / "state")
    assert_same_weights(train(params, tmp_path / "unbroken"), resumed)


def test_a_checkpoint_that_version_0_1_stored_goes_on_and_one_of_a_newer_format_is_named(tmp_path: Path) -> None:
    params = tone_params(checkpoint_steps=1)
    stop_after(5, params, tmp_path / "state")
    folder = CheckpointFolder(str(tmp_path / "state"))
    stored = folder.load()
    assert stored is not None
    tensors, notes = stored
    code = version_0_1()["recipes"]["train"]["code"]["3.11"]
    ours = ("the recipe of training", "torch")
    identity = {name: value for name, value in notes["identity"].items() if name not in ours}
    folder.save(notes["step"], tensors, notes | {"identity": identity | {"the version of xmodal-kedro": code}}, 1)
    resumed = train(params, tmp_path / "state")
    assert_same_weights(train(params, tmp_path / "unbroken"), resumed)
    newer = notes["identity"] | {"the format of checkpoints": "99"}
    folder.save(notes["step"], tensors, notes | {"identity": newer}, 1)
    with pytest.raises(UserError, match="newer version of xmodal-kedro"):
        train(params, tmp_path / "state")


def test_training_ends_when_no_better_epoch_comes(tmp_path: Path) -> None:
    fitted = train(tone_params(epochs=12, patience=2, learning_rate=1e-9), tmp_path / "state")
    best = int(fitted.best["epoch"])
    assert len(fitted.history) == best + 3 < 12
    assert all(row["validation_map"] <= fitted.best["validation_map"] for row in fitted.history[best:])


def test_the_clips_of_a_step_may_go_through_the_network_in_parts(tmp_path: Path) -> None:
    settings = {"vggish_plus": {"width": 4, "batch_norm": False}, "learning_rate": 1e-4}
    whole = train(tone_params(epochs=1, **settings), tmp_path / "whole")
    parts = train(tone_params(epochs=1, accumulate=2, **settings), tmp_path / "parts")
    assert parts.history[0]["train_loss"] == pytest.approx(whole.history[0]["train_loss"], abs=1e-5)


def test_a_global_random_generator_is_left_alone(tmp_path: Path) -> None:
    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    train(tone_params(epochs=1), tmp_path / "state")
    assert torch.equal(before, torch.random.get_rng_state())


def test_steps_and_epochs_are_told_to_listeners(tmp_path: Path) -> None:
    seen: list[tuple[set[str], int]] = []
    with metric_callbacks.listening(lambda metrics, step: seen.append((set(metrics), step))):
        train(tone_params(report_steps=3), tmp_path / "state")
    step_names = {"step.train_loss", "step.learning_rate", "step.clips_per_s"}
    epoch_names = {f"epoch.{name}" for name in ("train_loss", "validation_loss", "validation_map", "clips_per_s")}
    first = [(step_names, 3), (epoch_names, 3)]  # what is sent after step 3 is read with the rest of the epoch
    assert seen == [*first, (step_names, 7), (epoch_names, 7)]


def test_a_loss_that_is_not_finite_ends_training_and_names_the_clips(tmp_path: Path) -> None:
    with pytest.raises(FloatingPointError, match=r"on clips clip-\d+.*lower train\.learning_rate"):
        train(tone_params(learning_rate=1e38, gradient_clip=None), tmp_path / "state")


def test_nothing_is_stored_of_weights_that_are_not_finite(tmp_path: Path) -> None:
    params = tone_params(learning_rate=1e38, gradient_clip=None, checkpoint_steps=1)
    with pytest.raises(FloatingPointError, match=r"weights are no longer finite after step 1: lower train"):
        train(params, tmp_path / "state")
    assert CheckpointFolder(str(tmp_path / "state")).load() is None


def test_a_disk_that_is_full_is_told_and_what_was_stored_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stop_after(3, tone_params(checkpoint_steps=1), tmp_path / "state")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    with pytest.raises(OSError, match=r"cannot write .*step-000000004.* \(No space left on device\): make room"):
        train(tone_params(checkpoint_steps=1), tmp_path / "state")
    assert [path.name for path in (tmp_path / "state").iterdir() if "000003" in path.name]
