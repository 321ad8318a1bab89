"""Synthesised sounds, one function per class: `(rng, seconds) -> float64 [samples]` at 16 kHz, peak 1, dry and near.

Every call is another dog or bell: pitch, pace, size and timbre are drawn from `rng`. `recording.record` then simulates
the room and the microphone. Names are those of ESC-50 (Piczak 2015) for the classes that it has.
"""

from __future__ import annotations

from collections.abc import Callable

from numpy.random import Generator

from xmodal_kedro.sample.sounds.animals import chirping_birds, crickets, dog, rooster
from xmodal_kedro.sample.sounds.dsp import RATE, Sound
from xmodal_kedro.sample.sounds.machines import car_horn, chainsaw, engine, helicopter, siren
from xmodal_kedro.sample.sounds.nature import crackling_fire, rain, sea_waves, water_drops, wind
from xmodal_kedro.sample.sounds.people import crying_baby, sneezing
from xmodal_kedro.sample.sounds.struck import church_bells, clock_tick, door_wood_knock, drum

SYNTHESISERS: dict[str, Callable[[Generator, float], Sound]] = {
    synthesise.__name__: synthesise
    for synthesise in (
        dog, rooster, rain, sea_waves, crackling_fire, crying_baby, sneezing, clock_tick, helicopter, chainsaw,
        chirping_birds, water_drops, church_bells, siren, engine, drum,
        wind, car_horn, crickets, door_wood_knock,
    )
}  # fmt: skip

__all__ = ["RATE", "SYNTHESISERS", "Sound"]
