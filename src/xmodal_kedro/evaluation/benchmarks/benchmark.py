"""What every benchmark is: labelled sounds, and official divisions into training and test."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xmodal_kedro.storage import FileRef


@dataclass(frozen=True)
class Split:
    """One official division of a benchmark.

    Attributes:
        fold: its number, from 1 on.
        train, test: int64, positions of the clips that a model is fitted on and judged on; no clip is in both.
    """

    fold: int
    train: NDArray[np.int64]
    test: NDArray[np.int64]


@dataclass(frozen=True)
class Benchmark:
    """Labelled sounds with their official divisions.

    Attributes:
        clips: columns `file` (a name in the benchmark's folder), `category`, and `group`: clips of one group are never
            divided when a part of the training clips is held out to choose something.
        audio: the files of these rows.
        splits: the divisions, in order of their folds.
        complete: whether it is all of the published benchmark, so that published figures compare.
    """

    clips: pd.DataFrame
    audio: tuple[FileRef, ...]
    splits: tuple[Split, ...]
    complete: bool

    @property
    def fingerprint(self) -> str:
        """32 hex digits that stand for clips and splits, not for what their files sound like."""
        hashed = hashlib.blake2b(self.clips.to_csv(index=False).encode(), digest_size=16)
        for split in self.splits:
            for positions in (np.array([split.fold]), split.train, split.test):
                hashed.update(np.int64(len(positions)).tobytes() + positions.astype(np.int64).tobytes())
        return hashed.hexdigest()


def rotate(folds_N: NDArray[np.integer]) -> tuple[Split, ...]:
    """Each fold is the test once, all others are trained on.

    Args:
        folds_N: fold of each clip.
    """
    return tuple(
        Split(int(fold), np.flatnonzero(folds_N != fold), np.flatnonzero(folds_N == fold))
        for fold in np.unique(folds_N)
    )
