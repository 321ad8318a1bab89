"""Bring batches to the device while it works on those before."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from xmodal_kedro.data.batch import Batch
from xmodal_kedro.training.learner import Learner, Prepared


def on_device(batches: Iterator[Batch], learner: Learner, first_step: int | None) -> Iterator[Prepared]:
    """The batches, prepared; on CUDA by a stream of its own, which runs while the network is busy with the last one.

    Args:
        batches: from the loader.
        learner: whose device it is.
        first_step: number of the first batch's step; None for validation.
    """
    for at, batch in enumerate(batches):
        step = None if first_step is None else first_step + at
        yield learner.prepare(batch, step) if learner.copies is None else _copied(batch, step, learner, learner.copies)


def _copied(batch: Batch, step: int | None, learner: Learner, copies: torch.cuda.Stream) -> Prepared:
    with torch.cuda.stream(copies):
        prepared = learner.prepare(batch, step)
    computing = torch.cuda.current_stream(learner.device)
    computing.wait_stream(copies)  # the device waits, not this process
    for tensor in prepared.tensors():
        tensor.record_stream(computing)  # its memory must not go to the next copy before it has been read
    return prepared
