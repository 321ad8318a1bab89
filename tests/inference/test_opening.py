"""Which of a network's files is run, and by what."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.network_files import Trained, sound
from xmodal_kedro import load
from xmodal_kedro.adapt.classifier import linear
from xmodal_kedro.errors import UserError
from xmodal_kedro.inference import opening
from xmodal_kedro.inference.onnx_network import OnnxNetwork
from xmodal_kedro.inference.torch_network import TorchNetwork
from xmodal_kedro.models.card import digest
from xmodal_kedro.models.card_file import stored_digest
from xmodal_kedro.models.export import export_onnx


@pytest.fixture
def exported(tmp_path: Path) -> Trained:
    """A network with its export beside the weights."""
    made = Trained(tmp_path)
    (tmp_path / "model.onnx").write_bytes(export_onnx(made.network, made.card))
    return made


def test_an_export_beside_the_weights_is_run_on_a_cpu_and_gives_the_same(exported: Trained) -> None:
    model, audio = load(exported.weights_file.parent, "cpu"), sound(1_000, 2.5)
    assert isinstance(model.network, OnnxNetwork)
    scores, embedding = exported.predict(audio)
    predicted = model.predict([audio], 16_000)
    np.testing.assert_allclose(predicted.scores[0], scores, atol=1e-5)
    np.testing.assert_allclose(predicted.embeddings[0], embedding, atol=1e-4)
    assert model.card == exported.card


def test_what_an_export_does_not_hold_comes_from_the_weights_beside_it(exported: Trained) -> None:
    model = load(exported.weights_file.parent, "cpu")
    assert model.over_time([sound(300)], 16_000).embeddings.shape[0] == 1
    (exported.weights_file.parent / "model.onnx").unlink()
    by_torch = load(exported.weights_file.parent, "cpu")
    assert isinstance(by_torch.network, TorchNetwork)
    assert model.fingerprint == by_torch.fingerprint
    assert model.torch_network is model.torch_network


def test_an_export_of_other_weights_is_not_used(exported: Trained) -> None:
    card = exported.card | {"weights_digest": "0" * 32}
    (exported.weights_file.parent / "model.onnx").write_bytes(export_onnx(exported.network, card))
    assert isinstance(load(exported.weights_file.parent, "cpu").network, TorchNetwork)


def test_an_export_of_an_earlier_classifier_on_the_same_network_is_not_used(exported: Trained) -> None:
    folder = exported.weights_file.parent
    size = 2 * load(folder, "cpu").over_time([sound(300)], 16_000).embeddings.shape[1] // 2
    cards = []
    for level in (0.0, 1.0):
        head = linear(torch.full((2, size), level), torch.zeros(2))
        own = {
            "classes": ["kettle", "tap"],
            "representation": "network",
            "head_digest": digest(head),
            "temperature": 1.5,
        }
        cards.append(exported.card | own | {"backbone": exported.card, "temperature": 1.5})
        layer = torch.nn.Linear(size, 2)
        layer.load_state_dict(head)
        if not level:
            (folder / "model.onnx").write_bytes(export_onnx(exported.network, cards[0], layer))
    onnx = OnnxNetwork(folder / "model.onnx", "cpu")
    assert onnx.is_of(cards[0]) and not onnx.is_of(cards[1])
    assert not onnx.is_of(cards[0] | {"temperature": 2.0}) and not onnx.is_of(exported.card)


def test_an_export_is_not_run_in_place_of_weights_that_are_not_those_of_the_card(exported: Trained) -> None:
    folder = exported.weights_file.parent
    weights = load_file(exported.weights_file)
    assert stored_digest(exported.weights_file) == digest(weights) == exported.card["weights_digest"]
    other = folder / "other.safetensors"
    save_file({name: weight + 1 for name, weight in weights.items()}, other)
    with pytest.raises(UserError, match="weights and model card are of different runs"):
        load(other, "cpu")
    other.write_bytes(b"no weights")
    with pytest.raises(UserError, match=other.name):
        load(other, "cpu")
    assert isinstance(load(folder, "cpu").network, OnnxNetwork)


def test_a_card_that_an_export_cannot_be_run_with_is_reported(exported: Trained) -> None:
    exported.card_file.write_text(
        json.dumps({name: exported.card[name] for name in exported.card.keys() - {"front_end"}})
    )
    with pytest.raises(UserError, match="front_end"):
        load(exported.weights_file.parent, "cpu")
    exported.card_file.write_text("[]")
    with pytest.raises(UserError, match=exported.card_file.name):
        load(exported.weights_file.parent, "cpu")


def test_weights_are_run_where_there_may_be_a_gpu(exported: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "CUDA_DRIVERS", (str(exported.card_file),))
    assert isinstance(load(exported.weights_file.parent).network, TorchNetwork)


FIRST_TAG = """
import json, sys
import numpy as np
from xmodal_kedro import load
tags = load(sys.argv[1], "cpu").tag(np.zeros(16000, np.float32), 16000)
print(json.dumps([tags, sorted({"torch", "scipy", "pandas", "mlflow", "kedro", "av"} & set(sys.modules))]))
"""


def test_the_first_tag_of_a_process_loads_neither_torch_nor_what_it_does_not_need(exported: Trained) -> None:
    command = [sys.executable, "-c", FIRST_TAG, str(exported.weights_file.parent)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    tags, loaded = json.loads(done.stdout)
    assert len(tags) == 3 and loaded == []
