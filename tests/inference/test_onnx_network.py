"""An exported network, used like the folder that it came from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.network_files import Trained, sound
from xmodal_kedro import hear, load
from xmodal_kedro.errors import UserError
from xmodal_kedro.models.export import export_onnx


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    made = Trained(tmp_path_factory.mktemp("trained"))
    folder = made.weights_file.parent / "exported"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(export_onnx(made.network, made.card))
    return made


def test_the_file_and_its_folder_embed_and_tag(trained: Trained) -> None:
    folder, audio = trained.weights_file.parent / "exported", sound(1_000, 2.5)
    by_folder, by_file = load(folder, "cpu"), load(folder / "model.onnx", "cpu")
    assert (by_file.classes, by_file.sample_rate) == (trained.card["classes"], 16_000)
    np.testing.assert_array_equal(by_folder.embed(audio, 16_000), by_file.embed(audio, 16_000))
    names = [name for name, _ in load(trained.weights_file.parent, "cpu").tag(audio, 16_000)]
    assert [name for name, _ in by_file.tag(audio, 16_000)] == names


def test_short_sounds_other_rates_and_none_are_taken(trained: Trained) -> None:
    model = load(trained.weights_file.parent / "exported", "cpu")
    predicted = model.predict([sound(300, 0.2), sound(300, 3.0)], 44_100)
    assert predicted.scores.shape == (2, 3)
    assert model.predict([], 16_000).embeddings.shape == (0, predicted.embeddings.shape[1])


def test_the_weights_are_preferred_where_both_are(trained: Trained) -> None:
    beside = trained.weights_file.with_name("model.onnx")
    beside.write_bytes(b"not looked at")
    assert load(beside.parent, "cpu").over_time([sound(300)], 16_000).embeddings.shape[0] == 1


def test_what_the_file_does_not_hold_is_refused_with_its_name(trained: Trained) -> None:
    folder = trained.weights_file.parent / "exported"
    with pytest.raises(UserError, match=r"model\.onnx .*weights\.safetensors"):
        load(folder, "cpu").over_time([sound(300)], 16_000)
    with pytest.raises(UserError, match=r"model\.onnx .*weights\.safetensors"):
        hear.load_model(str(folder))


def test_a_file_that_is_missing_or_another_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.onnx"):
        load(tmp_path / "none.onnx", "cpu")
    (tmp_path / "model.onnx").write_bytes(b"nothing of the kind")
    with pytest.raises(UserError, match=r"model\.onnx"):
        load(tmp_path, "cpu")
