"""Synthesised sounds have the measurable properties of their classes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from xmodal_kedro.sample.recording import loudness, record, room_noise, to_pcm16
from xmodal_kedro.sample.sounds import RATE, SYNTHESISERS
from xmodal_kedro.sample.sounds.dsp import noise, onsets, sawtooth, sweep


@pytest.mark.parametrize("name", SYNTHESISERS)
def test_a_sound_is_finite_of_the_asked_length_and_peaks_at_one(name: str) -> None:
    sound = SYNTHESISERS[name](np.random.default_rng(1), 2.3)
    assert sound.shape == (round(2.3 * RATE),)
    assert np.isfinite(sound).all()
    assert np.abs(sound).max() == pytest.approx(1.0)


@pytest.mark.parametrize("name", SYNTHESISERS)
def test_equal_seeds_give_equal_sounds_and_others_do_not(name: str) -> None:
    first, again, other = (SYNTHESISERS[name](np.random.default_rng(seed), 1.5) for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("name", "low_hz", "high_hz"),
    [("chirping_birds", 2000, 8000), ("helicopter", 20, 600), ("crickets", 3000, 6000), ("dog", 250, 3500)],
)
def test_a_sound_lies_in_its_band(name: str, low_hz: float, high_hz: float) -> None:
    frequency, power = signal.welch(SYNTHESISERS[name](np.random.default_rng(0), 5.0), RATE, nperseg=1024)
    within = power[(frequency >= low_hz) & (frequency <= high_hz)].sum() / power.sum()
    assert within > 0.8


def test_a_clock_ticks_steadily() -> None:
    sound = SYNTHESISERS["clock_tick"](np.random.default_rng(0), 6.0)
    loud = np.flatnonzero(np.abs(sound) > 0.3) / RATE
    ticks = loud[np.diff(loud, prepend=-1.0) > 0.1]
    assert len(ticks) >= 5
    assert np.diff(ticks).std() < 0.02


def test_a_sawtooth_and_a_sine_have_the_pitch_they_were_given() -> None:
    for make in (sawtooth, sweep):
        spectrum = np.abs(np.fft.rfft(make(np.full(RATE, 441.0))))
        assert np.argmax(spectrum) == 441


def test_noise_falls_with_the_slope_it_was_given() -> None:
    frequency, power = signal.welch(noise(np.random.default_rng(0), 30 * RATE, slope=2.0), RATE, nperseg=4096)
    middle = (frequency > 200) & (frequency < 6000)
    slope, _ = np.polyfit(np.log(frequency[middle]), np.log(power[middle]), 1)
    assert slope == pytest.approx(-2.0, abs=0.05)


@given(st.integers(0, 1000), st.floats(0.5, 20.0))
def test_onsets_keep_their_gaps_and_stay_inside(seed: int, seconds: float) -> None:
    found = onsets(np.random.default_rng(seed), seconds, (0.2, 0.7), (0.0, 0.4))
    assert all(0 <= at < seconds for at in found)
    assert all(0.2 <= gap <= 0.7 + 1e-9 for gap in np.diff(found))


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 1000), st.sampled_from(sorted(SYNTHESISERS)))
def test_a_recording_keeps_the_length_and_has_unit_loudness(seed: int, name: str) -> None:
    rng = np.random.default_rng(seed)
    dry = SYNTHESISERS[name](rng, 1.5)
    recorded = record(rng, dry)
    assert recorded.shape == dry.shape
    assert loudness(recorded) == pytest.approx(1.0)
    assert np.abs(recorded).max() <= 4.0


def test_silence_is_recorded_as_silence() -> None:
    recorded = record(np.random.default_rng(0), np.zeros(RATE))
    assert np.abs(recorded).max() < 1e-6


def test_room_noise_has_about_unit_rms() -> None:
    rms = [np.sqrt(np.mean(room_noise(np.random.default_rng(seed), 2.0) ** 2)) for seed in range(20)]
    assert min(rms) > 0.95
    assert max(rms) < 1.6


def test_pcm_is_clipped_not_wrapped() -> None:
    assert to_pcm16(np.array([-2.0, 0.0, 0.5, 2.0])).tolist() == [-32767, 0, 16384, 32767]
