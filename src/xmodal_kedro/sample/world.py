"""Who is who in the sample world, and its three independent draws."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.random import Generator

ESC10 = (
    "dog", "rooster", "rain", "sea_waves", "crackling_fire", "crying_baby", "sneezing", "clock_tick", "helicopter",
    "chainsaw",
)  # fmt: skip
"""The classes of ESC-10 (Piczak 2015)."""
SOURCES = (*ESC10, "chirping_birds", "church_bells", "siren", "engine", "drum")
"""Seen and heard, and known to both teachers."""
HEARD_ONLY = ("water_drops",)
"""Known to the audio teacher; never in the picture."""
SILENT = ("statue", "plate", "airship", "tree")
"""Known to the visual teacher; makes no sound. The first three look like a dog, a clock, a helicopter."""
UNKNOWN_SOUNDS = ("wind", "car_horn")
"""Heard in videos, known to no teacher."""
UNKNOWN_PICTURES = ("", "test_card")
"""Seen in videos, known to no teacher; empty for a place without any object."""
NEW_SOUNDS = ("crickets", "door_wood_knock")
"""Only in the benchmark: never heard in a video, known to no teacher."""

BACKGROUND = "background"
"""The visual teacher's class for a picture of none of its objects, named under `ignore` in its card."""

AUDIO_CLASSES = (*SOURCES, *HEARD_ONLY)
VISUAL_CLASSES = (BACKGROUND, *SOURCES, *SILENT)
BENCHMARK_CLASSES = (*AUDIO_CLASSES, *UNKNOWN_SOUNDS, *NEW_SOUNDS)

AUDIOSET_IDS = {
    "dog": "/m/0bt9lr", "rooster": "/m/07qn5dc", "rain": "/m/06mb1", "sea_waves": "/m/034srq",
    "crackling_fire": "/m/07pzfmf", "crying_baby": "/t/dd00002", "sneezing": "/m/01hsr_", "clock_tick": "/m/07qjznt",
    "helicopter": "/m/09ct_", "chainsaw": "/m/01j4z9", "chirping_birds": "/m/07pggtn", "church_bells": "/m/03w41f",
    "siren": "/m/03kmc9", "engine": "/m/02mk9", "drum": "/m/026t6",
}  # fmt: skip
"""Of the sounds of `SOURCES`, in the AudioSet ontology."""
SOUNDS_FILE = "sounds.csv"
"""Beside the visual teacher's weights; named under `sounds` in its card."""


def sounds_table() -> bytes:
    """The CSV of which sounds the visual teacher's classes make: a source its own, the others none."""
    rows = [f"{name},{name},{AUDIOSET_IDS[name]}" for name in SOURCES]
    return "\n".join(["label,sound,audioset_id", *rows, ""]).encode()


class Draw(IntEnum):
    """What a random stream is for. Streams of different draws never meet, whatever the sizes of the draws."""

    VIDEOS = 0
    PICTURES = 1
    SOUNDS = 2
    BENCHMARK = 3


def stream(seed: int, draw: Draw, *index: int) -> Generator:
    """The random stream of one thing: `index` numbers it within its draw."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(int(draw), *index)))
