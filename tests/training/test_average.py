from __future__ import annotations

import copy

import pytest
import torch

from tests.tones import tone_params
from xmodal_kedro.models import Backbone, build
from xmodal_kedro.training.average import WeightAverage


def network(value: float) -> Backbone:
    model = build("vggish_plus", 3, tone_params().vggish_plus)
    with torch.no_grad():
        for tensor in [*model.parameters(), *(b for b in model.buffers() if b.is_floating_point())]:
            tensor.fill_(value)
    return model


@pytest.mark.parametrize(("decay", "step", "expected"), [(0.0, 500, 1.0), (0.9, 500, 0.1), (0.999, 0, 0.9)])
def test_the_average_moves_towards_the_latest_weights_by_its_decay(decay: float, step: int, expected: float) -> None:
    average = WeightAverage(network(0.0), decay)
    average.update(network(1.0), step)
    for name, value in average.model.state_dict().items():
        if value.is_floating_point():
            torch.testing.assert_close(value, torch.full_like(value, expected), msg=name)


def test_counts_are_taken_over_as_they_are() -> None:
    latest = network(1.0)
    counts = {name: b for name, b in latest.named_buffers() if not b.is_floating_point()}
    assert counts
    for count in counts.values():
        count.fill_(7)
    average = WeightAverage(copy.deepcopy(network(0.0)), 0.9)
    average.update(latest, 3)
    assert all(int(dict(average.model.named_buffers())[name]) == 7 for name in counts)


def test_the_average_is_in_evaluation_mode_and_does_not_learn() -> None:
    average = WeightAverage(network(0.0), 0.9)
    assert not average.model.training
    assert not any(weight.requires_grad for weight in average.model.parameters())
