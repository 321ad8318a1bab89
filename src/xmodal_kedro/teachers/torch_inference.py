"""Inference shared by the teachers that run in torch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xmodal_kedro.models.device import choose_device
from xmodal_kedro.params import ScoresOutput, TeacherCard, VisualTeacherCard
from xmodal_kedro.teachers.protocol import Device


def device_of(card: TeacherCard, wanted: Device) -> torch.device:
    """The device for a teacher; see `models.device.choose_device`."""
    field = (
        "visual_label.device"
        if isinstance(card, VisualTeacherCard)
        else "audio_label.device or train.live_teacher.device"
    )
    return choose_device(wanted, field)


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Limit torch to `count` CPU threads inside the block.

    With one thread, sums have the same order on any machine, so results are equal bit for bit.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def inference(device: torch.device, threads: int) -> Iterator[None]:
    """Inference mode in the block: bfloat16 on CUDA, or float16 where that is not supported; float32 on the CPU."""
    on_cuda = device.type == "cuda"
    half = torch.float16 if on_cuda and not torch.cuda.is_bf16_supported() else torch.bfloat16
    with torch_threads(threads), torch.inference_mode(), torch.autocast(device.type, dtype=half, enabled=on_cuda):
        yield


def activate(logits_BC: Tensor, output: ScoresOutput) -> NDArray[np.float32]:
    """Scores [batch, classes] from logits, by the scale and activation of the card."""
    scaled_BC = logits_BC.float() * output.scale
    if output.activation == "softmax":
        scaled_BC = scaled_BC.softmax(1)
    elif output.activation == "sigmoid":
        scaled_BC = scaled_BC.sigmoid()
    scores: NDArray[np.float32] = scaled_BC.cpu().numpy()
    return scores
