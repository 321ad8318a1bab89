"""Views of a clip: parts of its sound at random levels, which a teacher scores once and the network hears in training.

A view is a function of the clip's id, its number and the seed alone, so that both sides make the same samples.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xmodal_kedro.features.augment import fit_length
from xmodal_kedro.pcm import INT16_FULL_SCALE


class View(NamedTuple):
    """A part of a clip.

    Attributes:
        start: its first sample.
        gain: factor of its level.
        number: among the views of the clip.
    """

    start: int
    gain: float = 1.0
    number: int = 0


def view_of(clip_id: str, number: int, seed: int, surplus: int, gain_db: float) -> View:
    """One view of a clip.

    Args:
        clip_id: of the clip.
        number: of the view, from 0 on.
        seed: of all views.
        surplus: samples that the clip has more than a view.
        gain_db: max change of the level, up or down.
    """
    words = np.frombuffer(hashlib.sha256(clip_id.encode()).digest(), "<u4")
    rng = np.random.default_rng([seed, number, *words.tolist()])
    start = int(rng.integers(surplus, endpoint=True))
    return View(start, float(10 ** (rng.uniform(-gain_db, gain_db) / 20)), number)


def cut(audio_T: NDArray[np.int16], samples: int, view: View) -> NDArray[np.int16]:
    """The sound of a view, int16 [samples]; it is never raised beyond full scale.

    Args:
        audio_T: of the clip, int16 [samples of the clip]; a shorter one is repeated.
        samples: length of the view.
        view: which part, at which level.
    """
    part_T = fit_length(audio_T, samples, view.start)
    if view.gain == 1.0:
        return part_T
    peak = int(np.abs(part_T.astype(np.int32)).max(initial=1))
    gain = min(view.gain, (INT16_FULL_SCALE - 1) / peak)
    scaled_T: NDArray[np.int16] = np.rint(part_T * np.float64(gain)).astype(np.int16)
    return scaled_T
