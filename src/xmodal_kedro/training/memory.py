"""What to do when a batch does not fit a GPU: measured, not guessed."""

from __future__ import annotations

from collections.abc import Callable

import torch

from xmodal_kedro.params import TrainParams
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ
from xmodal_kedro.training.learner import Learner, Prepared

TRIED_CLIPS = (2, 10)
"""Batches whose memory tells what the weights take and what a clip takes."""
HEADROOM = 0.95
"""Share of the memory that may be planned with: fragments take the rest."""
STEP = 8
"""Batch sizes are rounded down to multiples of this."""


def explain_shortage(params: TrainParams, classes: int, device: torch.device) -> str:
    """One sentence that says which batch would fit, by steps of small ones on the GPU. Its memory must be free again.

    Args:
        params: what did not fit.
        classes: number of logits.
        device: the GPU.
    """
    torch.cuda.empty_cache()
    free_bytes, total_bytes = torch.cuda.mem_get_info(device)
    fits = largest_batch(_measure(params, classes, device), free_bytes)
    ranks = params.devices * params.nodes
    return advice(params.batch_size, params.accumulate, ranks, fits, torch.cuda.get_device_name(device), total_bytes)


def _measure(params: TrainParams, classes: int, device: torch.device) -> Callable[[int], int]:
    whole = params.model_copy(update={"accumulate": 1, "compile": False})
    learner = Learner(whole, classes, 1, device)
    samples = round(params.clip_s * CLIP_SAMPLE_RATE_HZ)

    def peak_bytes(clips: int) -> int:
        audio_BT = torch.zeros((clips, samples), dtype=torch.int16, device=device)
        targets_BC = torch.zeros((clips, classes), device=device)
        torch.cuda.reset_peak_memory_stats(device)
        learner.step(Prepared(audio_BT, targets_BC, clips, None, []), 0, 0.0)
        return torch.cuda.max_memory_allocated(device)

    return peak_bytes


def largest_batch(peak_bytes: Callable[[int], int], available_bytes: int) -> int:
    """The largest batch that fits, on the line through two small ones; 0 where even the smaller does not.

    Args:
        peak_bytes: measures the most memory that a step of so many clips takes.
        available_bytes: memory there is.
    """
    few, more = TRIED_CLIPS
    try:
        small, large = peak_bytes(few), peak_bytes(more)
    except torch.OutOfMemoryError:
        return 0
    of_a_clip = max(1.0, (large - small) / (more - few))
    clips = int((HEADROOM * available_bytes - small) / of_a_clip) + few
    return max(few, clips - clips % STEP)


def advice(batch_size: int, accumulate: int, ranks: int, fits: int, gpu: str, total_bytes: int) -> str:
    """One sentence that says what to set.

    Args:
        batch_size, accumulate, ranks: what was asked for.
        fits: clips that fit at a time on one device; 0 if none do.
        gpu: its name.
        total_bytes: its memory.
    """
    asked = -(-batch_size // (ranks * accumulate))
    head = f"{asked} clips at a time do not fit the {total_bytes / 2**30:.0f} GiB of {gpu}: "
    if fits < 2:
        return head + "not even a few would; shorten train.clip_s, or train a smaller train.model"
    parts = -(-batch_size // (ranks * fits))
    return head + (
        f"about {fits} would; set train.batch_size to {fits * ranks * accumulate}, or keep it at {batch_size} and set "
        f"train.accumulate to {parts}"
    )
