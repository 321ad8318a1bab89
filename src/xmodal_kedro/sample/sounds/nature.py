"""Weather, water and fire: shaped noise, and many small random events."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from scipy import signal

from xmodal_kedro.sample.sounds.dsp import (
    RATE,
    Sound,
    band,
    clicks,
    decay,
    noise,
    normalise,
    onsets,
    place,
    resonate,
    samples,
    sweep,
    times,
    wander,
)


def rain(rng: Generator, seconds: float) -> Sound:
    """A steady hiss of many distant drops, and near ones that burst on leaves, a roof or puddles."""
    count = samples(seconds)
    hiss = band(noise(rng, count, slope=rng.uniform(0.0, 0.8)), rng.uniform(300, 900), 7600)
    hiss *= 1 + 0.05 * wander(rng, count, 2)
    near = _bursts(rng, np.abs(clicks(rng, count, rng.uniform(80, 700), 0.9)), rng.uniform(0.0005, 0.001))
    near = band(near, rng.uniform(500, 1800), 7500)
    return normalise(_unit_rms(hiss) + rng.uniform(0.6, 1.5) * _unit_rms(near))


def sea_waves(rng: Generator, seconds: float) -> Sound:
    """Surges every 4-9 s over a low roar; a breaking wave is brighter, and ends in foam."""
    t = times(seconds)
    period_s = rng.uniform(4.0, 9.0)
    phase = (t / period_s + rng.uniform(0, 1) + 0.08 * wander(rng, len(t), 0.3)) % 1.0
    rise = rng.uniform(0.25, 0.45)
    surge = np.where(phase < rise, (phase / rise) ** 2, np.exp(-3.0 * (phase - rise) / (1 - rise)))
    roar = _unit_rms(band(noise(rng, len(t), slope=1.4), 60, 900))
    crash = _unit_rms(band(noise(rng, len(t), slope=0.8), 250, 4000))
    foam = _unit_rms(band(noise(rng, len(t)), 1800, 7000))
    brightness = rng.uniform(0.25, 0.6)
    mix = (0.25 + 0.5 * surge) * roar + (0.06 + surge) * crash + brightness * (0.06 + surge**2) * foam
    return normalise(mix * (1 + 0.12 * wander(rng, len(t), 5)))


def wind(rng: Generator, seconds: float) -> Sound:
    """Gusts: low noise and whistling whose levels vary together."""
    count = samples(seconds)
    gust = np.clip(0.55 + 0.35 * wander(rng, count, rng.uniform(0.5, 1.2)), 0.08, None)
    low = _unit_rms(band(noise(rng, count, slope=1.6), 40, 600))
    howl_hz = rng.uniform(350, 700)
    howl = _unit_rms(resonate(noise(rng, count), [howl_hz, 1.6 * howl_hz], [60, 130], [1.0, 0.4]))
    return normalise(gust * low + rng.uniform(0.1, 0.6) * gust**2 * howl)


def crackling_fire(rng: Generator, seconds: float) -> Sound:
    """Snaps of bursting wood, heavy-tailed in size and clustered in time, over soft low noise."""
    count = samples(seconds)
    snaps = np.abs(clicks(rng, count, rng.uniform(20, 60), 1.1)) * np.exp(0.9 * wander(rng, count, 4))
    crackle = band(_bursts(rng, snaps, rng.uniform(0.0003, 0.0011)), rng.uniform(800, 2000), 7500)
    loudest = float(np.abs(crackle).max())
    for at in onsets(rng, seconds, (0.15, 1.5), (0.0, 0.3)):
        length_s = rng.uniform(0.002, 0.008)
        pop = band(noise(rng, samples(10 * length_s)) * decay(10 * length_s, length_s), 400, 5000)
        place(crackle, loudest * rng.uniform(0.2, 0.8) * normalise(pop), at)
    flutter = band(noise(rng, count, slope=1.5), 60, 400) * (1 + 0.3 * wander(rng, count, 7))
    hiss = band(noise(rng, count, slope=0.5), 500, 7500)
    return normalise(normalise(crackle) + rng.uniform(0.003, 0.015) * _unit_rms(flutter) + 0.004 * _unit_rms(hiss))


def water_drops(rng: Generator, seconds: float) -> Sound:
    """Drops into a basin: a splash, and bubbles with rising pitch (van den Doel 2005)."""
    out = np.zeros(samples(seconds))
    base_hz, gap_s = rng.uniform(450, 1300), rng.uniform(0.25, 0.9)
    for at in onsets(rng, seconds, (0.6 * gap_s, 1.4 * gap_s), (0.0, gap_s)):
        for bubble in range(rng.integers(1, 4)):
            place(out, rng.uniform(0.3, 1.0) * _bubble(rng, base_hz), at + bubble * rng.uniform(0.03, 0.1))
    trickle = band(noise(rng, len(out)), 800, 6000)
    return normalise(normalise(out) + rng.uniform(0.002, 0.01) * _unit_rms(trickle))


def _bubble(rng: Generator, base_hz: float) -> Sound:
    ring_s = rng.uniform(0.007, 0.018)
    length_s = 6 * ring_s
    rising_hz = base_hz * rng.uniform(0.7, 1.6) * (1 + rng.uniform(5, 16) * times(length_s))
    splash = noise(rng, samples(length_s)) * decay(length_s, 0.002)
    return sweep(rising_hz) * decay(length_s, ring_s) + 0.3 * splash


def _bursts(rng: Generator, sizes: Sound, time_constant_s: float) -> Sound:
    """A decaying burst of noise for each impulse in `sizes`."""
    pole = np.exp(-1 / (time_constant_s * RATE))
    return signal.lfilter([1.0], [1.0, -pole], sizes) * noise(rng, len(sizes))


def _unit_rms(x: Sound) -> Sound:
    return x / max(float(np.sqrt(np.mean(x**2))), 1e-9)
