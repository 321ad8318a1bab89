"""What every benchmark is: labelled sounds, and official divisions into training and test."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xmodal_kedro.storage import FileRef, Folder


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
        divided: names of recordings, or of places of recording, that an official division has on both sides: some clips
            to train on and others to test on.
    """

    clips: pd.DataFrame
    audio: tuple[FileRef, ...]
    splits: tuple[Split, ...]
    complete: bool
    divided: tuple[str, ...] = ()

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


class Size(NamedTuple):
    """How large a benchmark is as published."""

    clips: int
    classes: int


@dataclass(frozen=True)
class BenchmarkEntry:
    """What is known of a benchmark.

    Attributes:
        title: how it is called.
        read: takes it from its folder.
        measure: name of the measure that it is published with; of the mean over splits.
        further_measures: names of others that are reported beside it.
        page: the official one.
        licence: of the sounds.
        size: as published; None for sounds of one's own.
    """

    title: str
    read: Callable[[Folder], Benchmark]
    measure: str
    further_measures: tuple[str, ...]
    page: str
    licence: str
    size: Size | None

    @property
    def measures(self) -> tuple[str, ...]:
        """Names of all of them, that which it is published with first."""
        return (self.measure, *self.further_measures)
