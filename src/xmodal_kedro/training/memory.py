"""What to do when a batch does not fit a GPU: tried, not guessed."""

from __future__ import annotations

import gc
from collections.abc import Callable
from functools import partial

import torch

from xmodal_kedro.data.teacher_embeddings import EmbeddingTargets
from xmodal_kedro.params import TrainParams
from xmodal_kedro.params.training import Modality
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ
from xmodal_kedro.training.learner import Learner, Prepared
from xmodal_kedro.training.student import Heads

TRIAL_STEPS = 2
"""The second one has the optimiser's moments beside all else."""


def explain_shortage(params: TrainParams, classes: int, heads: Heads, device: torch.device) -> str:
    """One sentence that says which batch would fit, found by trying. The GPU's memory must be free again.

    Args:
        params: what did not fit.
        classes: number of logits.
        heads: what is learnt beside the labels.
        device: the GPU.
    """
    wanted = clips_at_a_time(params)
    fits = largest_batch(partial(_fits, params, classes, heads, device), wanted)
    _, total_bytes = torch.cuda.mem_get_info(device)
    return advice(params, fits, torch.cuda.get_device_name(device), total_bytes)


def clips_at_a_time(params: TrainParams) -> int:
    """Most clips that go through the network of one device at once."""
    return -(-params.batch_size // (params.devices * params.nodes * params.accumulate))


def largest_batch(fits: Callable[[int], bool], wanted: int) -> int:
    """A batch smaller than `wanted` that fits, if not quite the largest that does; 0 where not even two clips do.

    Args:
        fits: tries a step of so many clips.
        wanted: what did not fit.
    """
    clips = wanted // 2
    while clips >= 2 and not fits(clips):
        clips //= 2
    if clips < 2:
        return 0
    more = clips + clips // 2
    return more if clips < more < wanted and fits(more) else clips


def advice(params: TrainParams, fits: int, gpu: str, total_bytes: int) -> str:
    """One sentence that says what to set.

    Args:
        params: what did not fit.
        fits: clips that fit at a time on one device; 0 if none do.
        gpu: its name.
        total_bytes: its memory.
    """
    head = f"{clips_at_a_time(params)} clips at a time do not fit the {total_bytes / 2**30:.0f} GiB of {gpu}: "
    if fits == 0:
        return head + "not even two would; shorten train.clip_s, or train a smaller train.model"
    ranks = params.devices * params.nodes
    return head + (
        f"{fits} would; set train.batch_size to {fits * ranks * params.accumulate}, or keep it at {params.batch_size} "
        f"and set train.accumulate to {-(-params.batch_size // (ranks * fits))}"
    )


def _fits(params: TrainParams, classes: int, heads: Heads, device: torch.device, clips: int) -> bool:
    whole = params.model_copy(update={"accumulate": 1, "compile": False})
    samples = round(params.clip_s * CLIP_SAMPLE_RATE_HZ)
    try:
        learner = Learner.for_pretraining(whole, classes, heads, 1, device)
        audio_BT = torch.zeros((clips, samples), dtype=torch.int16, device=device)
        targets_BC = torch.zeros((clips, classes), device=device)
        visual = heads.visual_embedding
        sizes: dict[Modality, int] = {"audio": heads.audio_embedding, "visual": len(visual.mean_E) if visual else 0}
        embeddings = {
            name: EmbeddingTargets(
                torch.zeros((clips, size), dtype=torch.float16, device=device), torch.ones((clips, 1), device=device)
            )
            for name, size in sizes.items()
            if size
        }
        for step in range(TRIAL_STEPS):
            learner.step(Prepared(audio_BT, targets_BC, clips, None, [], embeddings), step, 0.0)
    except torch.OutOfMemoryError:
        return False
    finally:
        learner = None  # type: ignore[assignment]
        gc.collect()
        torch.cuda.empty_cache()
    return True
