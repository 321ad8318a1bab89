"""An exponential moving average of a network's weights."""

from __future__ import annotations

import copy
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

Model = TypeVar("Model", bound=nn.Module)


class WeightAverage(Generic[Model]):
    """The average of the weights, and of batch norm's statistics, over the steps taken, the latest counting most.

    Polyak and Juditsky (1992); with a decay that rises over the first steps, min(decay, (1 + step) / (10 + step)), as
    TensorFlow's `ExponentialMovingAverage` has it. Torch's `AveragedModel` takes the first weights whole, and keeps a
    counter on the device that each step would wait for.

    Args:
        source: the network that learns.
        decay: by step; 0 makes the average the weights themselves.

    Attributes:
        model: a network with the averaged weights, in evaluation mode.
    """

    def __init__(self, source: Model, decay: float) -> None:
        self.model = copy.deepcopy(source).eval().requires_grad_(False)
        self._decay = decay
        self._averages, self._counts = _parts(self.model)
        self._latest, self._latest_counts = _parts(source)

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after `step`."""
        decay = min(self._decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self._averages, self._latest, 1 - decay)
        if self._counts:
            torch._foreach_copy_(self._counts, self._latest_counts)


def _parts(model: nn.Module) -> tuple[list[Tensor], list[Tensor]]:
    """Weights and statistics, and what is counted."""
    tensors = [*model.parameters(), *model.buffers()]
    return (
        [tensor for tensor in tensors if tensor.is_floating_point()],
        [tensor for tensor in tensors if not tensor.is_floating_point()],
    )
