"""Labelled sounds of one's own: `clips.csv` with `file`, `label` and perhaps `fold` and `group`, or folders by class.

Each fold is tested once, with all others to train on. The measure is accuracy, averaged over the folds.
"""

from __future__ import annotations

import logging
import unicodedata
import warnings
from pathlib import PurePosixPath

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from xmodal_kedro.evaluation.benchmarks.benchmark import Benchmark, BenchmarkEntry, rotate
from xmodal_kedro.evaluation.benchmarks.metadata import AUDIO_SUFFIXES, BenchmarkFolder
from xmodal_kedro.storage import Folder
from xmodal_kedro.wording import counted, warn_once

logger = logging.getLogger(__name__)

PAGE = "docs/benchmarks.md"
METADATA = "clips.csv"
MADE_FOLDS = 5
"""Where the table names none."""
VIDEO_SUFFIXES = (".3gp", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ts", ".webm", ".wmv")
RECORDING_SUFFIXES = (*AUDIO_SUFFIXES, ".aifc", ".amr", ".au", ".caf", ".mp2", ".oga", ".w64", *VIDEO_SUFFIXES)
"""By which a file in a folder of a class is taken for one of its recordings."""


def read_benchmark(folder: Folder) -> Benchmark:
    """Take a benchmark from a folder with `clips.csv`, whose files are named relative to the folder.

    Without that table, the folder holds a folder for each class, which is named by it. A column `group` may say which
    clips belong together, such as those of one recording; then they must be in one fold. Without it the folds are
    groups; where there are two, so that only one is trained on, each clip is its own. Without a column `fold`, whole
    groups are divided evenly among five folds, or fewer where a class has fewer groups.

    Raises:
        FileNotFoundError: if a listed sound is missing, or there is neither a table nor a folder of a class.
        UserError: if the table lacks a column or a value, lists a file twice, has less than two folds, divides a group
            among folds, or has a class in one fold alone.
    """
    source = BenchmarkFolder(folder, "your own sounds", PAGE, "correct it", "put them there")
    if METADATA in folder:
        table = source.table(METADATA, ["file", "label"], optional=["fold", "group"])
    else:
        table = folders_of_classes(source)
    if "fold" in table:
        folds = source.folds(METADATA, table["fold"])
        groups = _groups(source, table, folds)
    else:
        groups = _named_groups(table) if "group" in table else np.arange(len(table))
        folds = made_folds(table["label"].to_numpy(), groups)
    if len(np.unique(folds)) < 2:
        raise source.wrong(METADATA, f"has fold {folds[0]} alone, and one must be tested while another is trained on")
    clips = pd.DataFrame({"file": table["file"], "category": table["label"], "group": groups})
    return source.benchmark(METADATA, clips, rotate(folds), size=None)


def folders_of_classes(source: BenchmarkFolder) -> pd.DataFrame:
    """Columns `file` and `label` of recordings in folders that are named by their class.

    Raises:
        FileNotFoundError: if there is none.
    """
    folder = source.folder
    recordings = [name for name in folder if PurePosixPath(name).suffix.lower() in RECORDING_SUFFIXES]
    inside = [name for name in recordings if "/" in name]
    if not inside:
        raise FileNotFoundError(
            f"{source.place(METADATA)} is missing: name the folder of {source.title} that has it, or one that holds a "
            f"folder for each class ({source.page})"
        )
    if loose := sorted(set(recordings) - set(inside)):
        what = counted(len(loose), "file is", "files are")
        warn_once(logger, f"{folder.root}: {what} in no folder of a class, such as {loose[0]}: not used")
    labels = [unicodedata.normalize("NFC", name.partition("/")[0]) for name in inside]
    return pd.DataFrame({"file": inside, "label": labels})


def made_folds(labels_N: NDArray, groups_N: NDArray, parts: int = MADE_FOLDS) -> NDArray[np.int64]:
    """Folds from 1 on of whole groups, with the classes evenly in them: at most `parts`, at least two.

    Args:
        labels_N: class names.
        groups_N: groups of these clips.
    """
    groups_of = [len(np.unique(groups_N[labels_N == label])) for label in np.unique(labels_N)]
    divided = StratifiedGroupKFold(max(2, min(parts, *groups_of)), shuffle=True, random_state=0)
    folds_N = np.zeros(len(labels_N), np.int64)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class")  # the check of splits says which, and what to do
        for fold, (_, tested) in enumerate(divided.split(np.zeros(len(labels_N)), labels_N, groups_N), start=1):
            folds_N[tested] = fold
    return folds_N


def _named_groups(table: pd.DataFrame) -> NDArray[np.int64]:
    groups: NDArray[np.int64] = pd.factorize(table["group"].str.normalize("NFC"))[0]
    return groups


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
    return _named_groups(table)


OWN_SOUNDS = BenchmarkEntry(
    "Sounds of your own",
    read_benchmark,
    measure="accuracy",
    further_measures=("class_accuracy",),
    page=PAGE,
    licence="yours",
    size=None,
)
