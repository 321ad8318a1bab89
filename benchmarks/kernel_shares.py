"""Time of a training step by kind of work, from torch's profiler."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile, record_function
from train_ways import Step, Timer

from xmodal_kedro.training.learner import Learner

FRONT_END = "front end"
OTHER = "other"
IDLE = "device idle"
UNATTRIBUTED = "not attributed"

AROUND = {FRONT_END: FRONT_END, "Optimizer.": "optimiser", "clip_grad_norm": "optimiser"}
"""Kind of everything within an operation whose name has this prefix."""

KINDS: dict[str, tuple[str, ...]] = {
    "copies, casts, layout": ("copy", "contiguous", "clone", "memcpy", "memset", "fill_", "zero_", "aten::cat"),
    "batch norm": ("batch_norm", "batchnorm"),
    "convolution, matrix product": ("conv", "addmm", "aten::mm", "aten::bmm", "linear", "aten::matmul"),
    "compiled: fused elementwise, batch norm": ("triton", "compiledfx", "cpp_fused", "graph_"),
    "elementwise, pooling, loss": (
        *("relu", "threshold", "hardtanh", "pool", "mean", "sum", "add", "mul", "div", "cross_entropy", "dropout"),
        *("bernoulli", "sigmoid", "amax", "where", "index", "sub", "neg", "exp", "log", "sqrt"),
    ),
    "optimiser": ("_foreach", "_fused_adam", "lerp", "vector_norm"),
}
"""Parts of names of operations, in lower case. The first matching kind counts; the innermost operation is matched
first, then those around it."""


def profile_steps(learner: Learner, step: Step, steps: int) -> dict[str, float]:
    """Milliseconds a step by kind: of the GPU's kernels, on a CPU of the operations themselves; longest first."""
    timer = Timer(learner.device)
    on_gpu = learner.device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    scopes: list[Any] = []

    def enter(*_: object) -> None:
        scopes.append(record_function(FRONT_END))
        scopes[-1].__enter__()

    def leave(*_: object) -> None:
        scopes.pop().__exit__(None, None, None)

    hooks = [learner.log_mel.register_forward_pre_hook(enter), learner.log_mel.register_forward_hook(leave)]
    try:
        timer(step, 1)
        unprofiled_s = timer(step, steps)
        with profile(activities=activities, acc_events=True) as found:
            timer(step, steps)
    finally:
        for hook in hooks:
            hook.remove()
    shares = {kind: us / 1e3 / steps for kind, us in group(found.events() or [], on_gpu).items()}
    if on_gpu:
        shares[IDLE] = max(0.0, unprofiled_s * 1e3 - sum(shares.values()))
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def group(events: Any, on_gpu: bool) -> dict[str, float]:
    """Microseconds by kind."""
    spent: dict[str, float] = defaultdict(float)
    kernels_us = 0.0
    for event in events:
        if event.device_type.name != "CPU":
            kernels_us += 0.0 if event.is_user_annotation else event.time_range.elapsed_us()
        elif on_gpu:
            # A range with the operation's own name on the GPU's time line is not a kernel.
            for kernel in (kernel for kernel in event.kernels if kernel.name != event.name):
                spent[kind_of([kernel.name] if kernel.name.startswith("triton") else _around(event))] += kernel.duration
        else:
            spent[kind_of(_around(event))] += event.self_cpu_time_total
    if on_gpu:
        spent[UNATTRIBUTED] = max(0.0, kernels_us - sum(spent.values()))
    return dict(spent)


def _around(event: Any) -> Iterator[str]:
    """Names of an operation and of those that it is part of, innermost first."""
    while event is not None:
        yield event.name
        event = event.cpu_parent


def kind_of(names: Any) -> str:
    """The kind of an operation, by its name and those of what it is part of, innermost first."""
    names = list(names)
    for name in names:
        for start, kind in AROUND.items():
            if name.startswith(start):
                return kind
    for name in names:
        for kind, parts in KINDS.items():
            if any(part in name.lower() for part in parts):
                return kind
    return OTHER


def describe(shares: dict[str, float]) -> list[list[str]]:
    """Rows of a table: kind, ms a step, share."""
    total = sum(shares.values())
    return [[kind, f"{ms:.2f}", f"{100 * ms / total:.0f} %"] for kind, ms in shares.items()]


def torch_versions() -> str:
    """Of torch and what it uses on a GPU."""
    cudnn = torch.backends.cudnn.version() if torch.cuda.is_available() else "none"
    return f"torch {torch.__version__}, CUDA {torch.version.cuda}, cuDNN {cudnn}"
