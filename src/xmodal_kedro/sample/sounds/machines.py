"""Engines, rotors and horns: periodic excitation through resonant bodies."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from xmodal_kedro.sample.sounds.dsp import (
    Sound,
    band,
    clicks,
    noise,
    normalise,
    pulses,
    resonate,
    samples,
    sawtooth,
    sweep,
    swell,
    times,
    wander,
)


def engine(rng: Generator, seconds: float) -> Sound:
    """A four-stroke engine: every firing excites exhaust and body; idling, or revved up and down."""
    count = samples(seconds)
    idle_hz = rng.uniform(22, 55)
    revving = np.clip(rng.uniform(0.0, 0.7) * wander(rng, count, 0.8), -0.3, 1.5)
    firing_hz = idle_hz * (1 + revving)
    firings = pulses(firing_hz, 0.04 * wander(rng, count, 60))
    firings *= 1 + 0.25 * wander(rng, count, 40)
    body = np.array([85.0, 170.0, 420.0, 950.0, 1900.0]) * rng.uniform(0.8, 1.25)
    exhaust = normalise(resonate(firings, body, [30, 60, 140, 300, 600], [1.0, 0.9, 0.7, 0.6, 0.35]))
    breath = band(noise(rng, count, slope=0.7), 200, 5000) * (0.35 + _ripple(firing_hz, 2.0))
    rattle = resonate(firings, [2600, 3900], [500, 900], [1.0, 0.7])
    return normalise(exhaust + 0.10 * breath + rng.uniform(0.1, 0.35) * normalise(rattle))


def chainsaw(rng: Generator, seconds: float) -> Sound:
    """A small two-stroke engine at high speed, harsh and buzzing, slower in wood and revved between cuts."""
    count = samples(seconds)
    full_hz = rng.uniform(105, 160)
    load = np.clip(0.88 + 0.12 * wander(rng, count, 1.2), 0.55, 1.05)
    throttle = np.clip(1.6 + 1.4 * wander(rng, count, 0.5), 0.3, 1.0)
    firing_hz = full_hz * load * throttle * (1 + 0.01 * wander(rng, count, 35))
    source = sawtooth(firing_hz) ** 3 + 0.5 * noise(rng, count) * (0.3 + _ripple(firing_hz, 3.0))
    buzz = resonate(source, np.array([330.0, 800.0, 1700.0, 3200.0, 4800.0]) * rng.uniform(0.9, 1.15),
                    [120, 250, 500, 800, 1200], [0.5, 0.8, 1.0, 0.8, 0.5])  # fmt: skip
    chain = band(noise(rng, count), 2500, 7500) * throttle
    return normalise(np.tanh(2.5 * normalise(buzz)) * (0.4 + 0.6 * throttle) + 0.06 * chain)


def helicopter(rng: Generator, seconds: float) -> Sound:
    """Blade slap 9-16 times a second, modulated air noise, and a thin turbine whine, with varying loudness."""
    count = samples(seconds)
    blades_hz = rng.uniform(9, 16) * (1 + 0.02 * wander(rng, count, 0.4))
    slap = pulses(blades_hz, 0.015 * wander(rng, count, 12)) * (1 + 0.2 * wander(rng, count, 10))
    thump = normalise(resonate(slap, [55, 110, 190, 340], [35, 50, 90, 160], [0.8, 1.0, 0.8, 0.5]))
    rush = band(noise(rng, count, slope=1.0), 80, 2500) * (0.15 + _ripple(blades_hz, 5.0))
    whine = sweep(rng.uniform(900, 2400) * (1 + 0.003 * wander(rng, count, 3)))
    mix = thump + rng.uniform(0.25, 0.5) * normalise(rush) + 0.01 * whine + 0.03 * noise(rng, count, slope=1.0)
    return normalise(mix * np.clip(0.8 + 0.25 * wander(rng, count, 0.3), 0.3, 1.2))


def siren(rng: Generator, seconds: float) -> Sound:
    """A vehicle's siren through its horn: wail, yelp or two tones."""
    t = times(seconds)
    low_hz, high_hz = rng.uniform(420, 650), rng.uniform(1000, 1500)
    style = rng.choice(["wail", "yelp", "two_tone"], p=[0.45, 0.25, 0.3])
    if style == "two_tone":
        beat = np.sin(2 * np.pi * rng.uniform(0.45, 0.9) * t + rng.uniform(0, 6)) > 0
        pitch = np.where(beat, low_hz, low_hz * rng.uniform(1.25, 1.4))
    else:
        rate_hz = rng.uniform(0.15, 0.4) if style == "wail" else rng.uniform(2.4, 4.2)
        rising = 0.5 - 0.5 * np.cos(2 * np.pi * rate_hz * t + rng.uniform(0, 6))
        pitch = low_hz * (high_hz / low_hz) ** rising
    passing = 1 + 0.015 * wander(rng, len(t), 0.3)
    tone = sawtooth(pitch * passing)
    horn = resonate(tone, [850, 1500, 2700], [700, 700, 900], [1.0, 0.8, 0.5])
    return normalise(np.tanh(1.5 * normalise(horn)) * np.clip(0.8 + 0.2 * wander(rng, len(t), 0.4), 0.2, 1.2))


def car_horn(rng: Generator, seconds: float) -> Sound:
    """Two reeds a third apart, pressed a few times."""
    out = np.zeros(samples(seconds))
    low_hz = rng.uniform(330, 450)
    at = rng.uniform(0.0, 0.6)
    while at < seconds:
        press_s = min(rng.choice([rng.uniform(0.12, 0.3), rng.uniform(0.5, 1.8)]), seconds - at)
        flat = np.full(samples(press_s), low_hz)
        reeds = sawtooth(flat) + sawtooth(flat * 1.255) + 0.03 * clicks(rng, len(flat), 50, 0.3)
        blast = resonate(reeds, [1100, 2300, 3500], [500, 700, 900], [1.0, 1.0, 0.6]) * swell(press_s, 0.015, 0.03)
        out[samples(at) : samples(at) + len(blast)] += blast[: len(out) - samples(at)]
        at += press_s + rng.uniform(0.1, 1.0)
    return normalise(out)


def _ripple(frequency_hz: Sound, sharpness: float) -> Sound:
    """Envelope in 0..1 that peaks once per cycle."""
    return np.exp(sharpness * (sweep(frequency_hz) - 1))
