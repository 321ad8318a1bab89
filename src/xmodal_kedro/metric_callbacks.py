"""Callbacks for metrics that long computations emit while they run.

Training emits metrics, and a hook registers a callback that sends them to a tracking server. Neither depends on the
other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

MetricCallback = Callable[[Mapping[str, float], int], None]

_callbacks: list[MetricCallback] = []


def emit(metrics: Mapping[str, float], step: int) -> None:
    """Call every registered callback with the values of `metrics` at `step`."""
    for callback in _callbacks:
        callback(metrics, step)


@contextmanager
def listening(listener: MetricCallback) -> Iterator[None]:
    """Register `listener` as a callback for every `emit` inside the block."""
    _callbacks.append(listener)
    try:
        yield
    finally:
        _callbacks.remove(listener)
