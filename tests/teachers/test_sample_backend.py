"""The sample teacher refuses what does not fit it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import save

from tests.teachers.fixtures import jpeg
from xmodal_kedro.params import ImageInput, ScoresOutput, TeacherCard
from xmodal_kedro.teachers.sample_backend import SampleNetwork, SampleTeacher

CARD = TeacherCard(
    backend="sample",
    weights="weights.safetensors",
    labels="labels.txt",
    input=ImageInput(kind="image", resize_px=64, crop_px=64),
    output=ScoresOutput(activation="sigmoid"),
)


def test_scores_are_probabilities_whatever_the_batch() -> None:
    teacher = SampleTeacher(CARD, save(SampleNetwork(3, 2).state_dict()), ("dog", "rain"))
    rows = list(np.random.default_rng(0).normal(size=(5, 3, 64, 64)).astype(np.float32))
    scores = teacher.scores(rows)
    assert scores.shape == (5, 2)
    assert scores.dtype == np.float32
    assert 0 <= scores.min() <= scores.max() <= 1
    assert [row.shape for row in teacher.rows([jpeg(255, 0, 0)] * 2)] == [(3, 64, 64)] * 2
    assert teacher.scores(rows[:1]) == pytest.approx(scores[:1], abs=1e-6)


def test_another_number_of_classes_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'weights.safetensors' scores 2 classes, but 'labels.txt' lists 3"):
        SampleTeacher(CARD, save(SampleNetwork(3, 2).state_dict()), ("dog", "rain", "bell"))


@pytest.mark.parametrize(
    "weights", [b"", b"no safetensors at all", save({"a": torch.zeros(1)})], ids=["empty", "text", "other weights"]
)
def test_weights_of_something_else_are_refused(weights: bytes) -> None:
    with pytest.raises(ValueError, match="is not a sample teacher: run the pipeline `sample` again"):
        SampleTeacher(CARD, weights, ("dog",))
