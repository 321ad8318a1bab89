from __future__ import annotations

import pytest
import torch

from tests.tones import tone_params
from xmodal_kedro.models import build
from xmodal_kedro.models.backbone import Backbone
from xmodal_kedro.training.average import WeightAverage


def network(value: float) -> Backbone:
    model = build("vggish_plus", 3, tone_params().vggish_plus)
    fill(model, value)
    return model


def fill(model: Backbone, value: float) -> None:
    with torch.no_grad():
        for tensor in [*model.parameters(), *(b for b in model.buffers() if b.is_floating_point())]:
            tensor.fill_(value)


@pytest.mark.parametrize(("decay", "step", "expected"), [(0.0, 500, 1.0), (0.9, 500, 0.1), (0.999, 0, 0.9)])
def test_the_average_moves_towards_the_latest_weights_by_its_decay(decay: float, step: int, expected: float) -> None:
    source = network(0.0)
    average = WeightAverage(source, decay)
    fill(source, 1.0)
    average.update(step)
    for name, value in average.model.state_dict().items():
        if value.is_floating_point():
            torch.testing.assert_close(value, torch.full_like(value, expected), msg=name)


def test_counts_are_taken_over_as_they_are() -> None:
    source = network(0.0)
    average = WeightAverage(source, 0.9)
    counts = [buffer for buffer in source.buffers() if not buffer.is_floating_point()]
    assert counts
    for count in counts:
        count.fill_(7)
    average.update(3)
    assert all(int(count) == 7 for count in average.model.buffers() if not count.is_floating_point())


def test_the_average_is_in_evaluation_mode_and_does_not_learn() -> None:
    average = WeightAverage(network(0.0), 0.9)
    assert not average.model.training
    assert not any(weight.requires_grad for weight in average.model.parameters())
