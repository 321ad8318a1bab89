"""Where a network runs, and in which precision."""

from __future__ import annotations

from typing import Literal

import torch

from xmodal_kedro.errors import UserError


def choose_device(wanted: Literal["auto", "cpu", "cuda"], field: str) -> torch.device:
    """The device to use: `auto` takes CUDA where there is one.

    Args:
        wanted: value of the parameter.
        field: name of that parameter.

    Raises:
        UserError: if CUDA is wanted and there is none.
    """
    if wanted == "cuda" and not torch.cuda.is_available():
        raise UserError(f"{field} is cuda, but torch finds no CUDA device: set it to auto or cpu")
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(wanted)


def check_devices(wanted: Literal["auto", "cpu", "cuda"], devices: int) -> None:
    """Check that the devices of the parameters exist.

    Args:
        wanted: `train.device`.
        devices: `train.devices`.

    Raises:
        UserError: naming the parameter, if not.
    """
    there = torch.cuda.device_count()
    if choose_device(wanted, "train.device").type == "cuda" and devices > there:
        raise UserError(f"train.devices is {devices}, but torch finds {there} CUDA devices: set it to {there} or less")


def mixed_precision(device: torch.device, precision: Literal["auto", "float32"] = "auto") -> torch.autocast:
    """Autocast to bfloat16 on GPUs and CPUs that compute in it, where a step is up to twice as fast, or more.

    Args:
        device: where the network runs.
        precision: `float32` has it compute in that wherever it runs.
    """
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        capabilities = torch.cpu.get_capabilities()
        fast = capabilities.get("avx512_bf16", False) or capabilities.get("amx_bf16", False)
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=bool(fast) and precision == "auto")
