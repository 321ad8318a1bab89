"""The registry holds the best network on each benchmark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from mlflow.tracking import MlflowClient

from tests.network_files import Trained, sound
from xmodal_kedro import load
from xmodal_kedro.hooks.model import log_model
from xmodal_kedro.hooks.registry import REGISTERED, register_if_best


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Path]:
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path / 'mlflow.db'}")
    mlflow.set_experiment(experiment_id=mlflow.create_experiment("models", (tmp_path / "artifacts").as_uri()))
    yield tmp_path
    mlflow.set_tracking_uri(before)


def trained(folder: Path, model: str) -> Trained:
    (folder / model).mkdir()
    made = Trained(folder / model, model)
    with mlflow.start_run():
        log_model(made.card, str(made.weights_file), str(made.card_file))
    return made


def judged(accuracy: float, benchmark: str = "esc10") -> dict[str, float]:
    metrics = {"pretrained.accuracy": accuracy, "pretrained.accuracy_std": 0.99, "random.accuracy": 0.98}
    return {f"{benchmark}.linear_probe.{name}": value for name, value in metrics.items()}


def best(benchmark: str = "esc10") -> Any:
    return MlflowClient().get_model_version_by_alias(REGISTERED, benchmark)


def test_the_best_network_on_each_benchmark_has_its_alias_and_loads(store: Path) -> None:
    plus, mobile = trained(store, "vggish_plus"), trained(store, "mobilenet_v2")
    register_if_best(plus.card, judged(0.8))
    register_if_best(mobile.card, judged(0.7))
    register_if_best(mobile.card, judged(0.6, "esc50"))
    assert best().tags["network"] == "vggish_plus" and best("esc50").tags["network"] == "mobilenet_v2"
    assert best().tags["esc10.accuracy"] == "0.8" and best().description.startswith("# vggish_plus\n")
    audio = sound(300)
    loaded = load(f"models:/{REGISTERED}@esc10", device="cpu")
    np.testing.assert_array_equal(loaded.embed(audio, 16_000), load(plus.weights_file, "cpu").embed(audio, 16_000))
    register_if_best(mobile.card, judged(0.9))
    assert best().tags["network"] == "mobilenet_v2"


def test_one_that_is_as_good_does_not_take_the_place(store: Path) -> None:
    plus = trained(store, "vggish_plus")
    register_if_best(plus.card, judged(0.8))
    first = best().version
    register_if_best(plus.card, judged(0.8))
    assert best().version == first


def test_weights_that_no_run_has_logged_and_runs_without_a_probe_change_nothing(store: Path) -> None:
    (store / "unlogged").mkdir()
    register_if_best(Trained(store / "unlogged").card, judged(0.8))
    register_if_best(trained(store, "mobilenet_v2").card, {"esc10.zero_shot.pretrained.accuracy": 0.9})
    assert not MlflowClient().search_registered_models()
