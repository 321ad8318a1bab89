"""ESC-50 and its ten-class subset ESC-10: Piczak, "ESC: dataset for environmental sound classification" (2015).

5 s recordings of 50 classes in five official folds, which keep what comes from one source recording together. The
measure is accuracy, averaged over the folds.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from xmodal_kedro.handles import FileRef, Folder

METADATA = "meta/esc50.csv"
FOLDS = (1, 2, 3, 4, 5)
COMPLETE = {"esc50": (2000, 50), "esc10": (400, 10)}
"""Clips and classes of the published benchmarks."""

_NAMED = 3


@dataclass(frozen=True)
class Benchmark:
    """Labelled sounds in folds.

    Attributes:
        clips: columns `file`, `fold` and `category`, in the order of the metadata.
        audio: the files of these rows.
    """

    clips: pd.DataFrame
    audio: tuple[FileRef, ...]


def check_benchmark(folder: Folder, name: Literal["esc50", "esc10"]) -> None:
    """Read the metadata and compare it with the files that are there, without opening any sound.

    Raises:
        ValueError, FileNotFoundError: as `read_benchmark`.
    """
    read_benchmark(folder, name)


def read_benchmark(folder: Folder, name: Literal["esc50", "esc10"]) -> Benchmark:
    """Take the benchmark `name` from a folder in ESC-50's layout: `meta/esc50.csv`, and sounds below `audio/`.

    Raises:
        FileNotFoundError: if the metadata or a listed sound is missing.
        ValueError: if the metadata has no clips, lacks a column, or its folds are not the five official ones with every
            class in each.
    """
    place = f"{folder.root}/{METADATA}"
    if METADATA not in folder:
        raise FileNotFoundError(
            f"{place} is missing: name the folder of a benchmark in ESC-50's layout, which holds audio/ and meta/"
        )
    clips = _read_metadata(folder[METADATA], place, name)
    _check_folds(clips, place)
    missing = [file for file in clips["file"] if f"audio/{file}" not in folder]
    if missing:
        raise FileNotFoundError(
            f"{folder.root}/audio lacks {len(missing)} of the {len(clips)} sounds that {METADATA} lists, such as "
            f"{', '.join(missing[:_NAMED])}: complete the folder from the benchmark's archive"
        )
    return Benchmark(clips, tuple(folder[f"audio/{file}"] for file in clips["file"]))


def _read_metadata(file: FileRef, place: str, name: str) -> pd.DataFrame:
    table = pd.read_csv(io.BytesIO(file.read_bytes()), dtype=str, keep_default_na=False)
    wanted = ["filename", "fold", "category", *(["esc10"] if name == "esc10" else [])]
    lacking = [column for column in wanted if column not in table]
    if lacking:
        raise ValueError(f"{place} has no column {', '.join(lacking)}: take the file from the benchmark's archive")
    if name == "esc10":
        table = table[table["esc10"].str.lower() == "true"]
    if table.empty:
        raise ValueError(
            f"{place} lists no clip of {name}: take the file from the benchmark's archive, or set "
            "transfer_eval.benchmark to what the folder holds"
        )
    return pd.DataFrame(
        {
            "file": table["filename"].to_list(),
            "fold": pd.to_numeric(table["fold"], errors="coerce").fillna(0).astype("int64").to_list(),
            "category": table["category"].to_list(),
        }
    )


def _check_folds(clips: pd.DataFrame, place: str) -> None:
    remedy = "take the file from the benchmark's archive"
    twice = clips.loc[clips["file"].duplicated(), "file"]
    if len(twice):
        raise ValueError(f"{place} lists {len(twice)} files twice, such as {twice.iloc[0]}: {remedy}")
    folds = tuple(sorted(clips["fold"].unique().tolist()))
    if folds != FOLDS:
        raise ValueError(f"{place} has the folds {folds} where the official ones are {FOLDS}: {remedy}")
    counts = pd.crosstab(clips["category"], clips["fold"])
    absent = [f"{category} in fold {fold}" for category, row in counts.iterrows() for fold in FOLDS if not row[fold]]
    if absent:
        raise ValueError(f"{place} has no clip of {', '.join(absent[:_NAMED])}: {remedy}")
