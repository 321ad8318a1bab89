"""Several processes train as one does."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import torch

from tests.tones import VOCABULARY, tone_embeddings, tone_params, tone_shards
from tests.training.recorded import recorded_losses
from xmodal_kedro import metric_callbacks
from xmodal_kedro.datasets.checkpoints import CheckpointFolder
from xmodal_kedro.params import TrainParams
from xmodal_kedro.training import launch
from xmodal_kedro.training.checkpoint import plain_weights
from xmodal_kedro.training.fit import Fitted, fit
from xmodal_kedro.training.training_data import prepare_training_data

CLIPS, LABELS = tone_shards()
SETTINGS = {
    "mixup_alpha": 0.3,
    "embedding_weight": 0.5,
    "spec_augment": {"time_masks": 1, "time_frames": 20},
    "report_steps": 1,
    # The frames of a tone are alike: which of them is the loudest is for rounding to decide, and so a gradient.
    "vggish_plus": {"width": 4, "pooling": "mean"},
    "learning_rate": 1e-4,
}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def train(params: TrainParams, folder: Path) -> tuple[Fitted, dict[int, float]]:
    """What came of it, and the loss of every step."""
    data = prepare_training_data(CLIPS, LABELS, VOCABULARY, params, {"audio": tone_embeddings()})
    with recorded_losses() as losses:
        return fit(data, params, CheckpointFolder(str(folder))), losses


def ranks() -> list[psutil.Process]:
    """The processes that train for this one: what its server of forks has forked."""
    children = psutil.Process().children()
    return [rank for child in children if "forkserver" in " ".join(child.cmdline()) for rank in child.children()]


@contextmanager
def killing_one_once(folder: Path) -> Iterator[list[int]]:
    """Kill one of the processes by signal 9 after the first checkpoint is there."""
    killed: list[int] = []

    def wait_and_kill() -> None:
        deadline = time.monotonic() + 120
        while not list(folder.glob("step-*")) and time.monotonic() < deadline:
            time.sleep(0.005)
        victim = ranks()[-1]
        os.kill(victim.pid, signal.SIGKILL)
        killed.append(victim.pid)

    thread = threading.Thread(target=wait_and_kill)
    thread.start()
    yield killed
    thread.join()


def test_two_processes_take_the_same_steps_as_one_and_a_killed_one_is_started_again(tmp_path: Path) -> None:
    alone, losses = train(tone_params(**SETTINGS), tmp_path / "alone")
    with killing_one_once(tmp_path / "together") as killed:
        together, shared = train(tone_params(devices=2, checkpoint_steps=1, **SETTINGS), tmp_path / "together")
    assert killed and not ranks()
    assert shared.keys() == losses.keys()
    assert shared == pytest.approx(losses, abs=1e-5)
    for ours, theirs in zip(alone.history, together.history, strict=True):
        assert theirs == pytest.approx(ours, abs=1e-4)
    for name, weight in plain_weights(alone.model).items():
        torch.testing.assert_close(plain_weights(together.model)[name], weight, atol=2e-3, rtol=1e-3)


def test_processes_that_are_interrupted_store_the_state_first(tmp_path: Path) -> None:
    def interrupt(_: Mapping[str, float], step: int) -> None:
        if step == 1:
            os.kill(os.getpid(), signal.SIGINT)

    params = tone_params(devices=2, epochs=8, checkpoint_steps=1_000, **SETTINGS)
    with metric_callbacks.listening(interrupt), pytest.raises(KeyboardInterrupt):
        train(params, tmp_path)
    stored = CheckpointFolder(str(tmp_path)).load()
    assert stored is not None and 2 <= stored[1]["step"] < 8 * 4 and not stored[1]["finished"]
    assert not ranks()


def test_each_process_takes_as_many_parts_of_a_step(tmp_path: Path) -> None:
    plain = {"vggish_plus": {"width": 4, "batch_norm": False}, "learning_rate": 1e-4}
    settings = {"epochs": 1, "batch_size": 15, "report_steps": 1, **plain}
    _, losses = train(tone_params(**settings), tmp_path / "alone")
    _, shared = train(tone_params(devices=2, accumulate=3, **settings), tmp_path / "together")
    assert shared == pytest.approx(losses, abs=1e-5)


def be_a_machine(params: TrainParams, folder: Path, outcome: Path) -> None:
    torch.set_num_threads(1)
    outcome.write_text(json.dumps(train(params, folder)[0].history))


def test_two_machines_meet_and_both_have_the_outcome(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("localhost", 0))
        rendezvous = f"localhost:{free.getsockname()[1]}"
    params = tone_params(nodes=2, rendezvous=rendezvous, **SETTINGS)
    outcomes = [tmp_path / "one.json", tmp_path / "other.json"]
    forks = multiprocessing.get_context("forkserver")
    machines = [forks.Process(target=be_a_machine, args=(params, tmp_path / "state", outcome)) for outcome in outcomes]
    for machine in machines:
        machine.start()
    alone, _ = train(tone_params(**SETTINGS), tmp_path / "alone")
    for machine in machines:
        machine.join(200)
    one, other = (json.loads(outcome.read_text()) for outcome in outcomes)
    assert one == other
    assert all(ours == pytest.approx(theirs, abs=1e-4) for ours, theirs in zip(one, alone.history, strict=True))


def test_an_error_that_no_new_start_would_mend_is_raised_as_it_was(tmp_path: Path) -> None:
    params = tone_params(devices=2, learning_rate=1e38, gradient_clip=None, restarts=1)
    with pytest.raises(FloatingPointError, match=r"the training loss became nan on clips clip-\d+"):
        train(params, tmp_path / "state")
    assert not ranks()


def test_nobody_waits_for_a_process_that_called_and_says_nothing() -> None:
    exchange = launch._Exchange()
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(exchange.address)
        closing = threading.Thread(target=exchange.close, daemon=True)
        closing.start()
        closing.join(60)
        assert not closing.is_alive()


def test_more_streams_than_processes_must_be_shared_evenly() -> None:
    with pytest.raises(ValueError, match=r"train\.streams \(4\) is no multiple of train\.devices x train\.nodes \(3\)"):
        tone_params(devices=3)


def test_machines_must_know_where_to_meet() -> None:
    with pytest.raises(ValueError, match=r"train\.nodes is 2, but train\.rendezvous is empty: set it to HOST:PORT"):
        tone_params(nodes=2)


def test_each_process_must_get_clips_enough_for_batch_norm() -> None:
    with pytest.raises(ValueError, match=r"train\.batch_size \(8\) leaves less than 2 .*: set at least 16"):
        tone_params(devices=4, accumulate=2)
