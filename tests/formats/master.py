"""The master of all files: sound in which every stretch is found again, and frames that show their number."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

SECONDS = 7.0
FPS = 25
WIDTH, HEIGHT = 160, 96
CLIP_RATE_HZ = 16_000
BARS = 10
"""The first is always white and the last always black; between them are the bits of the number, the highest first."""
DARK, BRIGHT = 40, 210


class Location(NamedTuple):
    """Where a stretch of sound lies in another.

    Attributes:
        start_s: of the stretch, in the other.
        correlation: there, in [-1, 1].
    """

    start_s: float
    correlation: float


@cache
def sound(rate_hz: int, seconds: float = SECONDS) -> NDArray[np.float32]:
    """Noise under tones that change twice a second, below 4 kHz: float32 [samples], about -18 dBFS."""
    fine_hz = 192_000
    time_s = np.arange(round(seconds * fine_hz)) / fine_hz
    steps = np.random.default_rng(5).standard_normal(round(seconds * 7_000) + 2)
    noise = np.interp(time_s, np.arange(steps.size) / 7_000, steps)
    tones = np.sin(2 * np.pi * np.cumsum(300 + 40 * (np.floor(2 * time_s) * 7 % 40)) / fine_hz)
    mixed = 0.12 * noise + 0.1 * tones
    places = np.arange(round(seconds * rate_hz)) / rate_hz
    return np.interp(places, time_s, mixed).astype(np.float32)


def locate(stretch: NDArray[np.floating], whole: NDArray[np.floating]) -> Location:
    """The place of the highest correlation, both at `CLIP_RATE_HZ`."""
    part, reference = stretch.astype(np.float64), whole.astype(np.float64)
    size = 1 << (part.size + reference.size).bit_length()
    products = np.fft.irfft(np.fft.rfft(reference, size) * np.conj(np.fft.rfft(part, size)), size)
    energy = np.concatenate([[0.0], np.cumsum(reference**2)])
    places = np.arange(max(1, reference.size - part.size + 1))
    powers = energy[np.minimum(places + part.size, reference.size)] - energy[places]
    fits = products[places] / np.sqrt(np.maximum(powers * (part @ part), 1e-9))
    best = int(fits.argmax())
    return Location(best / CLIP_RATE_HZ, float(fits[best]))


def image(number: int) -> NDArray[np.uint8]:
    """The frame of that number, grey [height, width]: bars above, a moving texture below."""
    bits = [1, *((number >> bit) & 1 for bit in reversed(range(BARS - 2))), 0]
    bars = np.repeat(np.where(bits, BRIGHT, DARK).astype(np.uint8), WIDTH // BARS)
    texture = np.roll(_texture(), 3 * number, axis=1)
    return np.vstack([np.tile(bars, (HEIGHT * 2 // 3, 1)), texture])


def number_of(jpeg: bytes, turned_deg: int = 0) -> int | None:
    """The number that a stored frame shows; None if it shows none.

    Args:
        turned_deg: counter-clockwise turn by which the file has it displayed.
    """
    shown = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    return shown_number(np.rot90(shown, -turned_deg // 90))


def shown_number(upright: NDArray[np.uint8]) -> int | None:
    """The number that a frame shows, grey [height, width]; None if it shows none."""
    height, width = upright.shape
    middle = upright[height // 6 : height // 2]
    width_of_bar = width / BARS
    levels = [
        middle[:, int((bar + 0.3) * width_of_bar) : int((bar + 0.7) * width_of_bar)].mean() for bar in range(BARS)
    ]
    bits = [level > (DARK + BRIGHT) / 2 for level in levels]
    if not bits[0] or bits[-1]:
        return None
    return sum(bit << place for place, bit in enumerate(reversed(bits[1:-1])))


@cache
def _texture() -> NDArray[np.uint8]:
    coarse = np.random.default_rng(3).integers(90, 150, (HEIGHT // 12, WIDTH // 4), dtype=np.uint8)
    return np.kron(coarse, np.ones((4, 4), np.uint8))
