"""A one-way channel from long computations to whoever watches them.

Training emits numbers while it runs; a hook listens and sends them to a tracking server. Neither knows the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

MetricCallback = Callable[[Mapping[str, float], int], None]

_listeners: list[MetricCallback] = []


def emit(metrics: Mapping[str, float], step: int) -> None:
    """Tell every listener the values of `metrics` at `step`. Without listeners this does nothing."""
    for listener in _listeners:
        listener(metrics, step)


@contextmanager
def listening(listener: MetricCallback) -> Iterator[None]:
    """Have `listener` called on every `emit` inside the block."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)
