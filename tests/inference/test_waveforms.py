"""Any sample rate that is accepted is resampled, at a cost that does not grow with it."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from scipy.signal import resample_poly

from xmodal_kedro.inference.waveforms import MAX_RATE_HZ, MIN_RATE_HZ, resampled

WANTED_HZ = 16_000
HZ = 300.0


def sine(rate_hz: int, seconds: float) -> np.ndarray:
    return np.sin(2 * np.pi * HZ * np.arange(round(rate_hz * seconds)) / rate_hz).astype(np.float32)


@pytest.mark.parametrize("rate_hz", [MIN_RATE_HZ, 1009, 8000, 44_056, 44_099, 44_100, 192_001, 767_999, MAX_RATE_HZ])
def test_a_tone_stays_the_same_tone(rate_hz: int) -> None:
    audio = sine(rate_hz, 2.0)
    made = resampled(audio, rate_hz, WANTED_HZ)
    assert made.dtype == np.float32
    assert len(made) == math.ceil(len(audio) * WANTED_HZ / rate_hz)
    np.testing.assert_allclose(made[500:-500], sine(WANTED_HZ, 2.1)[500 : len(made) - 500], atol=2e-3)


def test_no_rate_takes_a_large_filter() -> None:
    audio = np.zeros(16_000, np.float32)
    tracemalloc.start()
    for rate_hz in (767_999, 700_001, 44_099, 1009):
        resampled(audio, rate_hz, WANTED_HZ)
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()


def test_common_rates_are_resampled_as_before() -> None:
    audio = sine(44_100, 1.0)
    np.testing.assert_array_equal(resampled(audio, 44_100, WANTED_HZ), resample_poly(audio, 160, 441))


@pytest.mark.parametrize("samples", [0, 1, 2, 100])
def test_the_shortest_sounds_have_their_length(samples: int) -> None:
    assert len(resampled(np.zeros(samples, np.float32), 767_999, WANTED_HZ)) == math.ceil(samples * 16_000 / 767_999)
