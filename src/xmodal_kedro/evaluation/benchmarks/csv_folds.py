"""Labelled sounds of one's own, in folds of one's own: `clips.csv` with the columns `file`, `label` and `fold`.

Each fold is tested once, with all others to train on. The measure is accuracy, averaged over the folds.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xmodal_kedro.evaluation.benchmarks.benchmark import Benchmark, BenchmarkEntry, rotate
from xmodal_kedro.evaluation.benchmarks.metadata import BenchmarkFolder
from xmodal_kedro.storage import Folder

PAGE = "docs/benchmarks.md"
METADATA = "clips.csv"


def read_benchmark(folder: Folder) -> Benchmark:
    """Take a benchmark from a folder with `clips.csv`, whose files are named relative to the folder.

    A column `group` may say which clips belong together, such as those of one recording; then they must be in one fold.
    Without it the folds are groups; where there are two, so that only one is trained on, each clip is its own.

    Raises:
        FileNotFoundError: if `clips.csv` or a listed sound is missing.
        UserError: if it lacks a column or a value, lists a file twice, has less than two folds, divides a group among
            folds, or has a class in one fold alone.
    """
    source = BenchmarkFolder(folder, "your own sounds", PAGE, remedy="correct it")
    table = source.table(METADATA, ["file", "label", "fold"], optional=["group"])
    folds = source.folds(METADATA, table["fold"])
    if len(np.unique(folds)) < 2:
        raise source.wrong(METADATA, f"has fold {folds[0]} alone, and one must be tested while another is trained on")
    clips = pd.DataFrame({"file": table["file"], "category": table["label"], "group": _groups(source, table, folds)})
    return source.benchmark(METADATA, clips, rotate(folds), size=None)


def _groups(source: BenchmarkFolder, table: pd.DataFrame, folds: NDArray[np.int64]) -> NDArray[np.int64]:
    if "group" not in table:
        return folds if len(np.unique(folds)) > 2 else np.arange(len(table))
    names = table["group"].str.normalize("NFC")
    folds_of = pd.Series(folds, table.index).groupby(names).unique()
    divided = folds_of[folds_of.map(len) > 1]
    if len(divided):
        raise source.wrong(
            METADATA, f"has the group {divided.index[0]!r} in the folds {tuple(sorted(divided.iloc[0].tolist()))}"
        )
    groups, _ = pd.factorize(names)
    return groups


OWN_SOUNDS = BenchmarkEntry(
    "Sounds of your own",
    read_benchmark,
    measure="accuracy",
    further_measures=("class_accuracy",),
    page=PAGE,
    licence="yours",
    size=None,
)
