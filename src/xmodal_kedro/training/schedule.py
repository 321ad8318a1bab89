"""How training is paced: the learning rate, which weights decay, and how soon batch norm forgets."""

from __future__ import annotations

import math
from typing import Any

from torch import nn

from xmodal_kedro.params import TrainParams

_BATCH_NORM_MOMENTUM = 0.1
"""Torch's default, which needs some thirty steps to forget."""
_REMEMBERED = 0.05
"""Most that running statistics may keep of what they were an epoch before."""


def learning_rate(step: int, steps: int, params: TrainParams) -> float:
    """Rate of a step: a linear rise over the first `warmup_fraction` of all `steps`, then half a cosine to zero.

    Loshchilov and Hutter, "SGDR" (2017), one cycle; the rise after Goyal et al., "Large minibatch SGD" (2017).
    """
    return params.learning_rate * pace(step, steps, params.warmup_fraction)


def pace(step: int, steps: int, warmup_fraction: float) -> float:
    """Share of the highest learning rate at a step; see `learning_rate`."""
    warmup = round(warmup_fraction * steps)
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))


def decay_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Parameter groups of an optimiser: matrices and kernels decay, biases and norms do not."""
    weights = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in model.parameters() if parameter.ndim <= 1]
    return [{"params": weights, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


def pace_batch_norm(model: nn.Module, steps_per_epoch: int) -> None:
    """Have running statistics follow the weights within one epoch, however few steps it has.

    On a small corpus torch's default lags epochs behind the weights, and a network that has learnt still validates
    at chance: the longer its chain of batch norms the worse (Wu and Johnson, "Rethinking batch in BatchNorm", 2021).
    """
    momentum = max(_BATCH_NORM_MOMENTUM, 1 - _REMEMBERED ** (1 / steps_per_epoch))
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.momentum = momentum
