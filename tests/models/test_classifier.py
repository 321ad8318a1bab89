"""A classifier of one's own in its files, and its answers through every way of using it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.network_files import Trained, sound
from xmodal_kedro import load
from xmodal_kedro.errors import UserError
from xmodal_kedro.hear import get_scene_embeddings, load_model
from xmodal_kedro.models.card import digest
from xmodal_kedro.models.card_file import HEAD_NAME
from xmodal_kedro.models.classifier import linear, restore_classifier
from xmodal_kedro.models.export import export_onnx

CLASSES = ["kettle", "tap", "knock | door"]


class Classifier:
    """A head of random weights on an untrained network, as files."""

    def __init__(self, folder: Path, exclusive: bool = True) -> None:
        self.folder = folder
        self.trained = Trained(folder)
        network = load(folder)
        features = network.over_time([sound(440)], 16_000).embeddings.shape[1]
        generator = torch.Generator().manual_seed(1)
        self.head = linear(torch.randn(3, features, generator=generator) / 10, torch.randn(3, generator=generator))
        card = self.trained.card
        self.card = {
            "representation": "network",
            "classifier": "kitchen",
            **{name: card[name] for name in ("model", "embedding_size", "weights_digest", "front_end", "clip_s")},
            "head_digest": digest(self.head),
            "backbone": card,
            "classes": CLASSES,
            "exclusive": exclusive,
            "temperature": 1.7,
            "precision": 0.9,
            "data_fingerprint": "abc",
            "versions": {"torch": "2"},
            "evaluation": {
                "folds": 5,
                "accuracy": 0.8,
                "calibration_error": 0.1,
                "clips": dict.fromkeys(CLASSES, 8),
                "average_precision": {"kettle": 0.9, "tap": None, "knock | door": 1.0},
            },
            "thresholds": {"kettle": 0.0, "tap": None, "knock | door": 1.0},
        }
        self.write()

    def write(self) -> None:
        save_file(self.head, self.folder / HEAD_NAME)
        (self.folder / "card.json").write_text(json.dumps(self.card))


@pytest.fixture
def made(tmp_path: Path) -> Classifier:
    return Classifier(tmp_path)


@pytest.mark.parametrize("exclusive", [True, False])
def test_scores_are_those_of_the_head_on_mean_and_maximum_over_time(tmp_path: Path, exclusive: bool) -> None:
    made = Classifier(tmp_path, exclusive)
    pooled = torch.from_numpy(load(made.folder).over_time([sound(440)], 16_000).embeddings)
    logits = (pooled @ made.head["weight"].T + made.head["bias"]) / 1.7
    expected = logits.softmax(1) if exclusive else logits.sigmoid()
    np.testing.assert_allclose(load(made.folder).predict([sound(440)], 16_000).scores, expected.numpy(), atol=1e-6)


def test_embeddings_are_those_of_the_network(made: Classifier, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = Trained(tmp_path_factory.mktemp("plain"))
    plain = load(other.weights_file.parent)
    np.testing.assert_array_equal(load(made.folder).embed(sound(440), 16_000), plain.embed(sound(440), 16_000))


def test_onnx_has_the_head_inside_and_equals_it(made: Classifier, tmp_path: Path) -> None:
    backbone, head = restore_classifier(made.card, made.trained.weights, made.head)
    (tmp_path / "c.onnx").write_bytes(export_onnx(backbone, made.card, head))
    ours, onnx = load(made.folder), load(tmp_path / "c.onnx")
    sounds = [sound(300, 1.0), sound(2_000, 2.3), sound(700, 0.4)]
    np.testing.assert_allclose(onnx.predict(sounds, 16_000).scores, ours.predict(sounds, 16_000).scores, atol=1e-5)
    assert onnx.classes == CLASSES
    assert dict(onnx.tag(sounds[0], 16_000, sure=True)) == pytest.approx(dict(ours.tag(sounds[0], 16_000, sure=True)))


def test_only_classes_at_or_above_their_thresholds_are_sure(made: Classifier) -> None:
    assert [name for name, _ in load(made.folder).tag(sound(440), 16_000, sure=True)] == ["kettle"]
    assert len(load(made.folder).tag(sound(440), 16_000)) == 3


def test_a_network_without_thresholds_cannot_be_sure(tmp_path: Path) -> None:
    Trained(tmp_path)
    with pytest.raises(UserError, match="no thresholds"):
        load(tmp_path).tag(sound(440), 16_000, sure=True)


def test_hear_takes_a_classifier_as_its_network(made: Classifier) -> None:
    audio = torch.from_numpy(sound(440))[None]
    expected = load(made.folder).embed(sound(440), 16_000)
    np.testing.assert_allclose(
        get_scene_embeddings(audio, load_model(str(made.folder)))[0].numpy(), expected, atol=1e-5
    )


def test_a_head_of_another_classifier_is_refused(made: Classifier) -> None:
    made.head["bias"] += 1
    made.write()
    with pytest.raises(UserError, match="different classifiers.*adapt"):
        load(made.folder)


def test_a_head_of_another_backbone_is_refused(made: Classifier) -> None:
    made.card["backbone"] = made.card["backbone"] | {"weights_digest": "0" * 32}
    made.write()
    with pytest.raises(UserError, match="different runs"):
        load(made.folder)


def test_a_missing_head_is_named(made: Classifier) -> None:
    (made.folder / HEAD_NAME).unlink()
    with pytest.raises(FileNotFoundError, match=HEAD_NAME):
        load(made.folder)


def test_a_broken_head_is_named(made: Classifier) -> None:
    (made.folder / HEAD_NAME).write_bytes(b"broken")
    with pytest.raises(UserError, match=HEAD_NAME):
        load(made.folder)


def test_a_classifier_on_a_teacher_is_not_taken_for_an_older_export_beside_it(made: Classifier) -> None:
    made.card["representation"] = "network"
    backbone, head = restore_classifier(made.card, load_file(made.trained.weights_file), made.head)
    (made.folder / "model.onnx").write_bytes(export_onnx(backbone, made.card, head))
    made.trained.weights_file.unlink()
    made.card |= {"representation": "teacher", "teacher": {"card": {}, "files": {"yamnet.onnx": "0"}}}
    made.write()
    with pytest.raises(ValueError, match="weights is"):  # of the teacher
        load(made.folder)
