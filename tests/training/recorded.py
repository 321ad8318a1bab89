"""Records metrics of training steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from xmodal_kedro import metric_callbacks


@contextmanager
def recorded_losses() -> Iterator[dict[int, float]]:
    """The losses reported in the block, by step."""
    losses: dict[int, float] = {}

    def record(metrics: Mapping[str, float], step: int) -> None:
        if "step.train_loss" in metrics:
            losses[step] = metrics["step.train_loss"]

    with metric_callbacks.listening(record):
        yield losses
