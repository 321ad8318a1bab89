"""The registry holds the best network on each benchmark."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from mlflow.tracking import MlflowClient

from tests.models.test_classifier import Classifier
from tests.network_files import Trained, sound
from xmodal_kedro import load
from xmodal_kedro.hooks.model import log_classifier, log_model
from xmodal_kedro.hooks.registry import REGISTERED, Judged, register_classifier, register_if_best

FILES = {"weights": "weights.safetensors", "head": "head.safetensors", "card": "card.json"}


@pytest.fixture
def store(tmp_path: Path, empty_store: Path) -> Iterator[Path]:
    shutil.copy(empty_store, tmp_path / "mlflow.db")
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


def judged(accuracy: float, benchmark: str = "esc10") -> Judged:
    return Judged(benchmark, "accuracy", accuracy)


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


def test_weights_that_no_run_has_logged_change_nothing(store: Path) -> None:
    (store / "unlogged").mkdir()
    register_if_best(Trained(store / "unlogged").card, judged(0.8))
    assert not MlflowClient().search_registered_models()


def test_a_classifier_is_registered_under_its_name_and_loads_from_there(store: Path) -> None:
    (store / "kitchen").mkdir()
    made = Classifier(store / "kitchen")
    places = {part: str(store / "kitchen" / name) for part, name in FILES.items()}
    for _ in range(2):  # the same again is no new version
        with mlflow.start_run():
            uri = log_classifier(made.card, places)
        assert uri is not None
        register_classifier(made.card, uri)
    assert [version.version for version in MlflowClient().search_model_versions("name = 'kitchen'")] == [1]
    audio = sound(300)
    expected = load(store / "kitchen", "cpu").predict([audio], 16_000)
    loaded = load("models:/kitchen/1", "cpu")
    np.testing.assert_allclose(loaded.predict([audio], 16_000).scores, expected.scores, atol=1e-6)
    served = mlflow.pyfunc.load_model("models:/kitchen/1").predict([audio])
    np.testing.assert_allclose(
        [served["scores"][0][name] for name in made.card["classes"]], expected.scores[0], atol=1e-6
    )
    made.card["temperature"] = 2.0
    made.write()
    with mlflow.start_run():
        uri = log_classifier(made.card, places)
    assert uri is not None
    register_classifier(made.card, uri)
    assert len(MlflowClient().search_model_versions("name = 'kitchen'")) == 2
    made.card["thresholds"] = dict.fromkeys(made.card["classes"], 0.5)
    register_classifier(made.card, uri)
    assert len(MlflowClient().search_model_versions("name = 'kitchen'")) == 3
