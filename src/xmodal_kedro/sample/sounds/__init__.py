"""Synthesised sounds, one function a class: `(rng, seconds) -> float64 [samples]` at 16 kHz, peak 1, dry and near.

Every call is another dog, another bell: pitch, pace, size and timbre are drawn from `rng`. `recording.record` then
puts the sound into a place and in front of a microphone. Names are ESC-50's (Piczak 2015) where it has the class.
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
