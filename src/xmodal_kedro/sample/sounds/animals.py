"""Animals: voices as a source (a sawtooth with breath) through a filter (formants), or whistled sweeps."""

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
    sweep,
    swell,
    times,
    wander,
)


def dog(rng: Generator, seconds: float) -> Sound:
    """Groups of barks: a fast rise and fall of pitch, rough and breathy, through a long or short muzzle."""
    out = np.zeros(samples(seconds))
    size = rng.uniform(0.75, 1.7)
    gap_s = rng.uniform(0.28, 0.6)
    at = rng.uniform(0.0, 0.5)
    while at < seconds:
        for _ in range(rng.integers(1, 5)):
            place(out, rng.uniform(0.7, 1.0) * _bark(rng, size), at)
            at += gap_s * rng.uniform(0.9, 1.2)
        at += rng.uniform(0.3, 1.3)
    return normalise(out)


def _bark(rng: Generator, size: float) -> Sound:
    duration_s = rng.uniform(0.15, 0.25) * (0.7 + 0.3 * size)
    top_hz = rng.uniform(460, 640) / size
    pitch = glide([(0, 0.7 * top_hz), (0.15, top_hz), (0.45, 0.95 * top_hz), (1, 0.5 * top_hz)], duration_s)
    count, t = len(pitch), times(duration_s)
    source = np.tanh(sawtooth(pitch * (1 + 0.02 * wander(rng, count, 150))) + 0.2 * noise(rng, count))
    mouth_hz = np.array([800.0, 1440.0, 2320.0]) * rng.uniform(0.92, 1.08) / size**0.5
    voice = resonate(source, mouth_hz, [200, 300, 450], [1.0, 0.8, 0.5])
    voice = band(voice, 300 / size**0.5, rng.uniform(2100, 2900) / size**0.4, order=4)
    fall = np.exp(-np.maximum(t - 0.3 * duration_s, 0) / (0.2 * duration_s))
    return normalise(voice) * fall * swell(duration_s, 0.01, 0.02)


def rooster(rng: Generator, seconds: float) -> Sound:
    """Cock-a-doodle-doo: one or two short calls, a hoarse one, and a long one that falls and dies away."""
    out = np.zeros(samples(seconds))
    base_hz = rng.uniform(540, 750)
    for at in onsets(rng, seconds, (2.8, 4.6), (0.0, 0.6)):
        place(out, _crow(rng, base_hz), at)
    return normalise(out)


def _crow(rng: Generator, base_hz: float) -> Sound:
    tempo = rng.uniform(0.9, 1.3)
    cocks = [
        _syllable(rng, 0.18 * tempo, base_hz * np.array([0.95, 1.15, 1.05]), 1.0) for _ in range(rng.integers(1, 3))
    ]
    doodle = _syllable(rng, 0.3 * tempo, base_hz * np.array([1.1, 1.5, 1.45]), 3.5)
    doo = _syllable(rng, 1.0 * tempo, base_hz * np.array([1.45, 1.6, rng.uniform(0.7, 0.9)]), 0.5)
    gap = np.zeros(samples(0.03 * tempo))
    return np.concatenate([part for syllable in (*cocks, doodle, doo) for part in (syllable, gap)])


def _syllable(rng: Generator, duration_s: float, pitch_hz: Sound, hoarseness: float) -> Sound:
    start, top, end = pitch_hz
    pitch = glide([(0, start), (0.2, top), (0.55, 0.95 * top), (1, end)], duration_s)
    count = len(pitch)
    pitch *= 1 + 0.02 * wander(rng, count, 40) + 0.05 * hoarseness * wander(rng, count, 150)
    source = sawtooth(pitch) + 0.6 * hoarseness * sawtooth(pitch / 2) + 0.15 * (1 + 2 * hoarseness) * noise(rng, count)
    source *= 1 + 0.25 * wander(rng, count, 60)
    throat_hz = np.array([1100.0, 1900.0, 2900.0, 4200.0]) * rng.uniform(0.9, 1.12)
    voice = band(resonate(source, throat_hz, [200, 240, 300, 400], [1.0, 0.8, 0.6, 0.4]), 700, 4000)
    return np.tanh(1.5 * normalise(voice)) * swell(duration_s, 0.03, 0.3 * duration_s)


def chirping_birds(rng: Generator, seconds: float) -> Sound:
    """One to three birds, each repeating its own phrase of whistled sweeps."""
    out = np.zeros(samples(seconds))
    for _ in range(rng.integers(1, 4)):
        phrase = _phrase(rng)
        loudness = rng.uniform(0.3, 1.0)
        for at in onsets(rng, seconds, (len(phrase) / RATE + 0.08, len(phrase) / RATE + 1.0), (0.0, 0.5)):
            place(out, loudness * rng.uniform(0.8, 1.0) * phrase, at)
    return normalise(out)


def _phrase(rng: Generator) -> Sound:
    centre_hz = rng.uniform(2600, 5600)
    notes = [_note(rng, centre_hz) for _ in range(rng.integers(1, 4))]
    gap = np.zeros(samples(rng.uniform(0.02, 0.08)))
    return np.concatenate([part for _ in range(rng.integers(1, 4)) for note in notes for part in (note, gap)])


def _note(rng: Generator, centre_hz: float) -> Sound:
    duration_s = rng.uniform(0.04, 0.16)
    start, middle, end = centre_hz * rng.uniform(0.78, 1.28, 3)
    pitch = glide([(0, start), (0.5, middle), (1, end)], duration_s)
    if rng.random() < 0.35:
        pitch += 0.09 * centre_hz * np.sin(2 * np.pi * rng.uniform(25, 55) * times(duration_s))
    tone = sweep(np.minimum(pitch, 7400)) + 0.12 * sweep(np.minimum(2 * pitch, 7600))
    return tone * swell(duration_s, 0.3 * duration_s, 0.4 * duration_s)


def crickets(rng: Generator, seconds: float) -> Sound:
    """A chorus: each insect makes a steady train of short pulses on one high tone."""
    t = times(seconds)
    out = np.zeros(len(t))
    for _ in range(rng.integers(2, 6)):
        carrier_hz = rng.uniform(3800, 5400)
        pulse = np.clip(np.sin(2 * np.pi * rng.uniform(24, 42) * t + rng.uniform(0, 6)), 0, 1) ** 0.7
        chirp = np.clip(4 * np.sin(2 * np.pi * rng.uniform(1.2, 3.2) * t + rng.uniform(0, 6)) + 1.5, 0, 1)
        tone = sweep(carrier_hz * (1 + 0.004 * wander(rng, len(t), 30)))
        out += rng.uniform(0.25, 1.0) * pulse * (chirp if rng.random() < 0.7 else 1.0) * tone
    return normalise(out + 0.02 * band(noise(rng, len(t)), 2000, 6500))
