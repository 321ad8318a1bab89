"""An exponential moving average of a network's weights."""

from __future__ import annotations

import torch
from torch import Tensor

from xmodal_kedro.models import Backbone


class WeightAverage:
    """The average of the weights, and of batch norm's statistics, over the steps taken, the latest counting most.

    Polyak and Juditsky (1992); with a decay that rises over the first steps, min(decay, (1 + step) / (10 + step)), as
    TensorFlow's `ExponentialMovingAverage` has it.

    Args:
        model: a copy of the network, which will hold the average; its device and memory format are the network's.
        decay: by step; 0 makes the average the weights themselves.
    """

    def __init__(self, model: Backbone, decay: float) -> None:
        self.model = model.eval().requires_grad_(False)
        self._decay = decay

    @torch.no_grad()
    def update(self, model: Backbone, step: int) -> None:
        """Take in the weights after `step`."""
        decay = min(self._decay, (1 + step) / (10 + step))
        averaged, latest = _fractions(self.model), _fractions(model)
        torch._foreach_lerp_(averaged, latest, 1 - decay)
        for ours, theirs in zip(self.model.buffers(), model.buffers(), strict=True):
            if not ours.is_floating_point():
                ours.copy_(theirs)


def _fractions(model: Backbone) -> list[Tensor]:
    """Weights and statistics; not counts."""
    return [*model.parameters(), *(buffer for buffer in model.buffers() if buffer.is_floating_point())]
