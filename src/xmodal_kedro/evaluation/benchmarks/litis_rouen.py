"""LITIS Rouen audio scenes: Rakotomamonjy & Gasso, "Histogram of gradients of time-frequency representations for audio
scene detection", IEEE/ACM TASLP 23(1), 2015 (arXiv 1508.04909).

3026 clips of 30 s in 19 scenes, with 20 official divisions into 2419 clips to train on and 607 to test on; figures are
means over the divisions. The authors report mean average precision. It is taken here to be the precision of each class,
averaged over classes, beside accuracy; look into the paper before its figures are laid beside others. Phan et al.,
"Audio scene classification with deep recurrent neural networks" (2017), report F1, which is neither.

What is read is what public readers of the archive read, since no description of its layout was found. audiomate and
N2D2 take the scene from a file's name, all before the first digit. Others take the numbers of the clips from
`relation_wav_examples.txt`, and the divisions from the MATLAB file `fold3026-matrices`, which has one row of such
numbers for each division (`indiceMa` to train on, `indiceMt` to test on), or from the same rows as text, as is
done here.
"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xmodal_kedro.evaluation.benchmarks.benchmark import Benchmark, BenchmarkEntry, Size, Split
from xmodal_kedro.evaluation.benchmarks.metadata import BenchmarkFolder
from xmodal_kedro.storage import Folder

PAGE = "https://sites.google.com/site/alainrakotomamonjy/home/audio-scene"
LISTING = "relation_wav_examples.txt"
TRAIN = "fold3026-matrices_Learn.txt"
TEST = "fold3026-matrices_Test.txt"
AUDIO = "data_rouen"
SPLITS = 20
COMPLETE = Size(3026, 19)

_SCENE = re.compile(r"([^\d]*[^\d\s_-])[\s_-]*\d")


def read_benchmark(folder: Folder) -> Benchmark:
    """Take the benchmark from `relation_wav_examples.txt`, `fold3026-matrices_Learn.txt`, `fold3026-matrices_Test.txt`
    and `data_rouen/`.

    The first has a file's name and its number on each line; the others have the numbers of one division on each line.
    Nothing says which clips come from one recording, so each is a group of its own.

    Raises:
        FileNotFoundError: if one of these files or a listed clip is missing.
        UserError: if a line cannot be read, a file or number is listed twice, a division has an unknown number, there
            are not 20 divisions, or a clip is in both parts of one.
    """
    source = BenchmarkFolder(folder, "LITIS Rouen", PAGE)
    names, numbers = _read_listing(source)
    trains, tests = (_read_divisions(source, name, numbers) for name in (TRAIN, TEST))
    splits = tuple(
        Split(fold, train, test) for fold, (train, test) in enumerate(zip(trains, tests, strict=True), start=1)
    )
    scenes = [_scene(source, name) for name in names]
    clips = pd.DataFrame(
        {"file": [f"{AUDIO}/{name}" for name in names], "category": scenes, "group": np.arange(len(names))}
    )
    return source.benchmark(LISTING, clips, splits, COMPLETE, divided_by=TEST)


def _read_listing(source: BenchmarkFolder) -> tuple[list[str], pd.Index]:
    """Names of the files, and their numbers, in the order of the lines."""
    rows = [line.split() for line in source.text(LISTING).splitlines() if line.strip()]
    if wrong := [number for number, row in enumerate(rows, start=1) if len(row) != 2]:
        raise source.wrong(LISTING, f"does not hold a file's name and its number in row {wrong[0]}")
    numbers = pd.Index(_whole_numbers(source, LISTING, [row[1] for row in rows]))
    if numbers.has_duplicates:
        raise source.wrong(LISTING, f"gives the number {numbers[numbers.duplicated()][0]} to several files")
    return [row[0] for row in rows], numbers


def _read_divisions(source: BenchmarkFolder, name: str, numbers: pd.Index) -> list[NDArray[np.int64]]:
    """Positions of the clips that each line names."""
    lines = [line.split() for line in source.text(name).splitlines() if line.strip()]
    if len(lines) != SPLITS:
        raise source.wrong(name, f"has {len(lines)} lines where there are {SPLITS} official divisions")
    divisions = []
    for fold, line in enumerate(lines, start=1):
        wanted = _whole_numbers(source, name, line)
        if len(np.unique(wanted)) < len(wanted):
            raise source.wrong(name, f"names a clip twice in line {fold}")
        positions = numbers.get_indexer(pd.Index(wanted))
        if (unknown := np.flatnonzero(positions < 0)).size:
            raise source.wrong(name, f"names clip {wanted[unknown[0]]} in line {fold}, which {LISTING} does not list")
        divisions.append(np.asarray(positions, np.int64))
    return divisions


def _whole_numbers(source: BenchmarkFolder, name: str, words: list[str]) -> NDArray[np.int64]:
    """Whole numbers, which MATLAB may have written as `1.0000000e+00`."""
    try:
        values = np.array(words, np.float64)
    except ValueError as error:
        raise source.wrong(name, f"holds what is no number ({error})") from error
    if (wrong := values[~np.isfinite(values) | (values != np.round(values))]).size:
        raise source.wrong(name, f"holds {wrong[0]:g}, which is no whole number")
    return values.astype(np.int64)


def _scene(source: BenchmarkFolder, file: str) -> str:
    if not (found := _SCENE.match(file)):
        raise source.wrong(LISTING, f"names {file}, whose name does not hold its scene before a number")
    return found[1]


LITIS_ROUEN = BenchmarkEntry(
    "LITIS Rouen",
    read_benchmark,
    measure="class_precision",
    further_measures=("accuracy",),
    page=PAGE,
    licence="none stated: ask its authors",
    size=COMPLETE,
)
