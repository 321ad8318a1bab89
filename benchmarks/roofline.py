"""Limits of a machine, and the costs of a training step.

Two limits: all multiplications at the rate of a large matrix product, and all bytes of feature maps at the rate of a
copy; both rates are measured.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
from simulated_clips import CLASSES, CLIP_S
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from train_ways import Timer

from xmodal_kedro.features.framing import frames_of_samples
from xmodal_kedro.features.log_mel import MEL_BANDS
from xmodal_kedro.models import build
from xmodal_kedro.models.device import mixed_precision
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ

BYTES_PER_CONV_OUTPUT = 30
"""Bytes that training moves for each output of a convolution in bfloat16 (2 B): written, read for batch norm's
statistics, read and written by it and by the activation, read by what follows; and about the same backwards. An
estimate for kernels that are not fused; those that are move less."""

MATRIX = {"cuda": 8_192, "cpu": 1_024}
COPIED_BYTES = {"cuda": 1 << 30, "cpu": 1 << 28}
REPEATS = {"cuda": 20, "cpu": 3}
ROUNDS = 5
COUNTED_CLIPS = 2
PASSES = 3
"""Forward, and backward to inputs and to weights: each as many operations. Torch's own count of the backward pass takes
depthwise convolutions for whole ones."""


@dataclass(frozen=True)
class Machine:
    """What it can do at most.

    Attributes:
        flop_per_s: of a large square matrix product, in the type that training uses.
        bytes_per_s: read and written, of copying a large tensor on the device.
        type: that training uses.
    """

    flop_per_s: float
    bytes_per_s: float
    type: str


@dataclass(frozen=True)
class Asked:
    """What training asks for one clip."""

    flop: int
    conv_outputs: int

    def compute_limit(self, machine: Machine) -> float:
        """Clips a second if nothing but multiplications took time."""
        return machine.flop_per_s / self.flop

    def memory_limit(self, machine: Machine) -> float:
        """Clips a second if nothing but moving feature maps took time."""
        bytes_per_output = BYTES_PER_CONV_OUTPUT * (1 if machine.type == "bfloat16" else 2)
        return machine.bytes_per_s / (bytes_per_output * self.conv_outputs)


def measure_machine(device: torch.device) -> Machine:
    """Measure both rates."""
    kind = device.type
    precision = mixed_precision(device)
    dtype = torch.bfloat16 if precision._enabled else torch.float32
    size = MATRIX[kind]
    left, right = (torch.rand((size, size), device=device).to(dtype) for _ in range(2))
    source = torch.zeros(COPIED_BYTES[kind] // 4, device=device)
    target = torch.empty_like(source)
    multiply_s = _fastest(lambda: left @ right, device)
    copy_s = _fastest(lambda: target.copy_(source), device)
    return Machine(2 * size**3 / multiply_s, 2 * COPIED_BYTES[kind] / copy_s, str(dtype).removeprefix("torch."))


def _fastest(work: Callable[[], object], device: torch.device) -> float:
    timer, repeats = Timer(device), REPEATS[device.type]
    timer(work, repeats)
    return median(timer(work, repeats) for _ in range(ROUNDS))


def count(model: str) -> Asked:
    """Count, on the CPU, a step's floating-point operations and the outputs of its convolutions."""
    network = build(model, CLASSES).train()
    frames = frames_of_samples(round(CLIP_S * CLIP_SAMPLE_RATE_HZ))
    outputs = []

    def note(module: nn.Module, inputs: Any, output: Tensor) -> None:
        outputs.append(output.numel())

    hooks = [layer.register_forward_hook(note) for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.rand((COUNTED_CLIPS, frames, MEL_BANDS)))
    for hook in hooks:
        hook.remove()
    return Asked(PASSES * counter.get_total_flops() // COUNTED_CLIPS, sum(outputs) // COUNTED_CLIPS)
