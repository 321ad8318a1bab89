"""Windows of audio that comes in pieces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Window(NamedTuple):
    """A part of the audio: the number of its first sample, and its samples, int16."""

    start: int
    audio: NDArray[np.int16]


def windows(pieces: Iterable[NDArray[np.int16]], length: int, hop: int) -> Iterator[Window]:
    """Cut audio into windows of `length` samples, one every `hop`, as its pieces come; at most one window is held.

    Where the last window ends before the audio, one more ends with it, so that all of it is covered. Audio shorter than
    a window is one window.

    Args:
        pieces: of one recording, in order, of any lengths.
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
