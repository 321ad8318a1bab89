"""Human sounds that are not speech."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from xmodal_kedro.sample.sounds.dsp import (
    RATE,
    Sound,
    band,
    glide,
    noise,
    normalise,
    onsets,
    place,
    resonate,
    samples,
    sawtooth,
    swell,
    times,
    wander,
)


def crying_baby(rng: Generator, seconds: float) -> Sound:
    """One wail per breath with gasps between; pitch 350-600 Hz, rising and falling (Wasz-Hoeckert et al. 1968)."""
    out = np.zeros(samples(seconds))
    base_hz = rng.uniform(400, 560)
    at = rng.uniform(0.0, 0.4)
    while at < seconds:
        wail = _wail(rng, base_hz)
        place(out, rng.uniform(0.7, 1.0) * wail, at)
        at += len(wail) / RATE + 0.05
        gasp_s = rng.uniform(0.12, 0.25)
        gasp = band(noise(rng, samples(gasp_s)), 900, 4500) * swell(gasp_s, 0.6 * gasp_s, 0.2 * gasp_s)
        place(out, 0.08 * gasp, at)
        at += gasp_s + rng.uniform(0.03, 0.3)
    return normalise(out)


def _wail(rng: Generator, base_hz: float) -> Sound:
    duration_s = rng.uniform(0.5, 1.3)
    top = rng.uniform(1.1, 1.35)
    pitch = base_hz * glide([(0, 0.85), (0.2, top), (0.6, top * rng.uniform(0.9, 1.0)), (1, 0.8)], duration_s)
    count = len(pitch)
    pitch *= 1 + 0.012 * wander(rng, count, 9) + 0.012 * rng.uniform(0, 2) * wander(rng, count, 120)
    source = sawtooth(pitch) + 0.12 * noise(rng, count)
    vowel = np.array([1050.0, 1700.0, 3300.0, 4900.0]) * rng.uniform(0.93, 1.1)
    voice = normalise(resonate(source, vowel, [260, 300, 420, 600], [1.0, 0.7, 0.45, 0.2]))
    return np.tanh(1.6 * voice) * swell(duration_s, 0.08, 0.25 * duration_s)


def sneezing(rng: Generator, seconds: float) -> Sound:
    """Ah - tchoo: an inhalation, then a burst of air through the mouth with a short voiced tail."""
    out = np.zeros(samples(seconds))
    size = rng.uniform(0.75, 1.35)
    for at in onsets(rng, seconds, (1.8, 3.4), (0.0, 0.5)):
        breath_s = rng.uniform(0.25, 0.5)
        mouth_hz = np.array([800.0, 1300.0, 2700.0, 3700.0]) / size**0.4
        breath = resonate(noise(rng, samples(breath_s)), mouth_hz, [150, 180, 300, 400], [1.0, 0.8, 0.5, 0.3])
        breath = normalise(band(breath, 300, 6000)) * swell(breath_s, 0.8 * breath_s, 0.05 * breath_s)
        place(out, rng.uniform(0.12, 0.4) * breath, at)
        place(out, _burst(rng, size), at + breath_s + 0.02)
    return normalise(out)


def _burst(rng: Generator, size: float) -> Sound:
    duration_s = rng.uniform(0.3, 0.5)
    t = times(duration_s)
    pitch = rng.uniform(250, 420) / size * glide([(0, 0.7), (0.15, 1.15), (0.5, 0.9), (1, 0.5)], duration_s)
    pitch *= 1 + 0.04 * wander(rng, len(t), 120)
    source = sawtooth(pitch) * np.exp(-t / 0.15) + rng.uniform(0.6, 2.0) * noise(rng, len(t))
    mouth_hz = np.array([750.0, 1600.0, 2800.0, 4100.0]) / size**0.4
    voice = resonate(source, mouth_hz, [250, 300, 450, 700], [1.0, 1.0, 0.9, 0.6])
    hiss = band(noise(rng, len(t)), 1800, 6000) * np.exp(-np.abs(t - 0.05) / 0.06)
    mix = normalise(voice) + rng.uniform(0.5, 1.5) * normalise(hiss)
    return normalise(mix) * np.exp(-np.maximum(t - 0.12, 0) / 0.08) * swell(duration_s, 0.012, 0.03)
