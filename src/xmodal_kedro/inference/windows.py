"""Windows of a sound that comes in pieces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Window(NamedTuple):
    """A stretch of a sound: its first sample's number, and its samples, int16."""

    start: int
    audio: NDArray[np.int16]


def windows(pieces: Iterable[NDArray[np.int16]], length: int, hop: int) -> Iterator[Window]:
    """Cut a sound into windows of `length` samples, one every `hop`, as its pieces come; no more than a window waits.

    Where windows do not come out even with the sound, one more ends with it, so that all of it is heard. A sound
    shorter than a window is one window.

    Args:
        pieces: of one sound, in order, of any lengths.
        length, hop: samples; `hop` is at most `length`.
    """
    held = np.zeros(0, np.int16)
    first, end, given_to = 0, 0, 0  # numbers of samples: of what is held, after the last, after the last window
    tail = held
    for piece in pieces:
        end += len(piece)
        tail = np.concatenate([tail, piece])[-length:]
        held = np.concatenate([held, piece])
        while len(held) >= length:
            yield Window(first, held[:length])
            given_to = first + length
            held, first = held[hop:], first + hop
    if end > given_to:
        yield Window(end - len(tail), tail)
