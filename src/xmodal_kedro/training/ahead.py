"""Bring batches to the device while it works on the one before."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from xmodal_kedro.audio.stream import Batch
from xmodal_kedro.training.learner import Learner, Prepared


def on_device(batches: Iterator[Batch], learner: Learner, first_step: int | None) -> Iterator[Prepared]:
    """The batches, prepared; on CUDA one ahead, on a stream of its own.

    Args:
        batches: from the loader.
        learner: whose device it is.
        first_step: number of the first batch's step; None for validation.
    """
    if learner.device.type != "cuda":
        for at, batch in enumerate(batches):
            yield learner.prepare(batch, None if first_step is None else first_step + at)
        return
    copies = torch.cuda.Stream(learner.device)
    coming: Prepared | None = None
    for at, batch in enumerate(batches):
        with torch.cuda.stream(copies):
            following = learner.prepare(batch, None if first_step is None else first_step + at)
        if coming is not None:
            yield _handed_over(coming, copies)
        coming = following
    if coming is not None:
        yield _handed_over(coming, copies)


def _handed_over(batch: Prepared, copies: torch.cuda.Stream) -> Prepared:
    """The batch, once its copies are done, for the stream that computes."""
    computing = torch.cuda.current_stream(batch.audio.device)
    computing.wait_stream(copies)
    for tensor in batch.tensors():
        tensor.record_stream(computing)  # its memory must not go to the next copy before it has been read
    return batch
