"""Struck objects: a short blow excites a few decaying modes."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from xmodal_kedro.sample.sounds.dsp import Sound, band, decay, noise, normalise, onsets, place, samples, sweep, times


def clock_tick(rng: Generator, seconds: float) -> Sound:
    """Tick and tock, one to five per second: three clicks of the escapement in short succession excite the case."""
    out = np.zeros(samples(seconds))
    gap_s = 1 / rng.choice([1.0, 2.0, 2.5, 4.0, 5.0])
    case_hz = np.exp(rng.uniform(np.log(500), np.log(6800), 6))
    voices = [_tick(rng, case_hz), _tick(rng, case_hz * rng.uniform(0.9, 1.0))]
    for beat, at in enumerate(np.arange(rng.uniform(0, gap_s), seconds, gap_s)):
        place(out, rng.uniform(0.85, 1.0) * voices[beat % 2], float(at) + rng.normal(0, 0.001) + 0.005)
    return normalise(out)


def _tick(rng: Generator, case_hz: Sound) -> Sound:
    out = np.zeros(samples(0.15))
    for at, loudness in zip(np.cumsum(rng.uniform(0.002, 0.016, 3)), (0.4, 1.0, 0.5), strict=True):
        ring = _modes(rng, case_hz, 0.012 * np.sqrt(1000 / case_hz), rng.uniform(0.3, 1.0, 6), 0.1)
        place(out, loudness * (ring + 2 * noise(rng, len(ring)) * decay(0.1, 0.0015)), float(at))
    return out


def church_bells(rng: Generator, seconds: float) -> Sound:
    """One to four bells: hum, prime, minor third, fifth, nominal and above (Fletcher & Rossing 1998, ch. 21).

    Bells are not exactly round, so each partial is a pair of frequencies that beat.
    """
    out = np.zeros(samples(seconds))
    prime_hz = rng.uniform(220, 680)
    bells = [
        _bell(rng, prime_hz * ratio, min(seconds, 4.0)) for ratio in (1.0, 1.189, 0.841, 1.335)[: rng.integers(1, 5)]
    ]
    gap_s = rng.uniform(0.45, 1.7)
    for blow, at in enumerate(onsets(rng, seconds, (0.92 * gap_s, 1.08 * gap_s), (0.0, 0.4))):
        place(out, rng.uniform(0.8, 1.0) * bells[blow % len(bells)], at)
    return normalise(out)


def _bell(rng: Generator, prime_hz: float, seconds: float) -> Sound:
    ratios = np.array([0.5, 1.0, 1.2, 1.5, 2.0, 2.5, 2.67, 3.0, 4.1, 5.3, 6.6, 8.1, 9.5]) * rng.normal(1, 0.006, 13)
    ring_s = np.array([4.0, 2.4, 1.8, 1.0, 1.3, 0.9, 0.7, 0.6, 0.4, 0.3, 0.2, 0.15, 0.12]) * rng.uniform(0.6, 1.6)
    gains = np.array([0.4, 0.6, 1.0, 0.4, 1.0, 0.5, 0.6, 0.7, 0.6, 0.5, 0.4, 0.35, 0.3]) * rng.uniform(0.7, 1.3, 13)
    audible = ratios * prime_hz < 7200
    pitch_hz, ring_s, gains = prime_hz * ratios[audible], ring_s[audible], gains[audible]
    ring = _modes(rng, pitch_hz, ring_s, gains, seconds)
    ring += 0.7 * _modes(rng, pitch_hz * (1 + rng.uniform(0.001, 0.004, len(pitch_hz))), ring_s, gains, seconds)
    blow = band(noise(rng, len(ring)), 1500, 6500) * decay(seconds, 0.01)
    return normalise(ring) + 0.15 * blow


def drum(rng: Generator, seconds: float) -> Sound:
    """A bar of kick, snare, tom and hat, repeated with small variations of time and level."""
    out = np.zeros(samples(seconds))
    step_s = 60 / rng.uniform(80, 150) / 2
    kit = [_kick(rng), _snare(rng), _tom(rng), _hat(rng)]
    bar = rng.choice(4, size=8, p=[0.35, 0.3, 0.25, 0.1])
    bar[0] = 0
    played = rng.random(8) < 0.85
    for step, at in enumerate(np.arange(rng.uniform(0, step_s), seconds, step_s)):
        if played[step % 8]:
            place(out, rng.uniform(0.75, 1.0) * kit[bar[step % 8]], max(0.0, float(at) + rng.normal(0, 0.006)))
    return normalise(out)


def _kick(rng: Generator) -> Sound:
    t = times(0.35)
    pitch = rng.uniform(48, 70) * (1 + 2.2 * np.exp(-t / 0.025))
    return sweep(pitch) * decay(0.35, 0.11) + 0.25 * noise(rng, len(t)) * decay(0.35, 0.004)


def _snare(rng: Generator) -> Sound:
    head = _modes(rng, np.array([185.0, 330.0]) * rng.uniform(0.9, 1.15), [0.07, 0.05], [1.0, 0.6], 0.3)
    wires = band(noise(rng, len(head)), 1500, 7500) * decay(0.3, 0.07)
    return 0.5 * head + 0.5 * wires


def _tom(rng: Generator) -> Sound:
    t = times(0.5)
    pitch = rng.uniform(90, 180) * (1 + 0.35 * np.exp(-t / 0.04))
    head = sweep(pitch) + 0.4 * sweep(1.59 * pitch) + 0.25 * sweep(2.14 * pitch)
    return 0.7 * head * decay(0.5, 0.13) + 0.15 * noise(rng, len(t)) * decay(0.5, 0.006)


def _hat(rng: Generator) -> Sound:
    return 0.6 * band(noise(rng, samples(0.12)), 5500, None) * decay(0.12, 0.03)


def door_wood_knock(rng: Generator, seconds: float) -> Sound:
    """Knuckles on a panel: two to five dull blows, a pause, and again."""
    out = np.zeros(samples(seconds))
    panel_hz = rng.uniform(110, 220) * np.array([1.0, 1.9, 3.1, 4.7])
    gap_s, at = rng.uniform(0.14, 0.3), rng.uniform(0.0, 0.8)
    while at < seconds:
        for _ in range(rng.integers(2, 6)):
            blow = _modes(rng, panel_hz, [0.03, 0.022, 0.014, 0.009], [1.0, 0.8, 0.5, 0.35], 0.2)
            blow += 0.6 * band(noise(rng, len(blow)), 300, 3000) * decay(0.2, 0.006)
            place(out, rng.uniform(0.7, 1.0) * blow, at)
            at += gap_s * rng.uniform(0.9, 1.1)
        at += rng.uniform(0.6, 1.6)
    return normalise(out)


def _modes(rng: Generator, frequencies_hz: ArrayLike, ring_s: ArrayLike, gains: ArrayLike, seconds: float) -> Sound:
    """Sum of decaying sines that start together at random phases; each ends once it has decayed by 60 dB."""
    t = times(seconds)
    out = np.zeros(len(t))
    for frequency, ring, gain in np.stack(np.broadcast_arrays(frequencies_hz, ring_s, gains), axis=1):
        audible = t[: samples(min(7 * ring, seconds))]
        tone = np.sin(2 * np.pi * (frequency * audible + rng.random())) * np.exp(-audible / ring)
        out[: len(audible)] += gain * tone
    return out * np.clip(t / 0.001, 0, 1)
