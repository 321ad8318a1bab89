"""Labelled sounds of one's own: a table of files and labels, or folders that are named by their class."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import cast

import numpy as np
import pandas as pd

from xmodal_kedro.evaluation.benchmarks.csv_folds import folders_of_classes
from xmodal_kedro.evaluation.benchmarks.metadata import BenchmarkFolder
from xmodal_kedro.storage import Folder

PAGE = "docs/own-classifier.md"
TABLE = "clips.csv"
SEPARATOR = "|"
"""Between several labels of a clip, and between the parts of a clip's name."""
COLUMNS = ("file", "label", "start_s", "end_s", "fold", "group")
CLIP_COLUMNS = ("clip", "file", "start_s", "end_s", "labels", "group", "fold")
NOTHING = ("none", "nothing", "none of these", "-")
"""Labels that say, as an empty cell does, that no class is heard; one is what a classifier itself says of them."""


def read_labelled(folder: Folder) -> pd.DataFrame:
    """The labelled clips of a folder: from `clips.csv`, or its only CSV file; else from folders named by their class.

    A file, or a part of it from `start_s` to `end_s`, is one clip; rows of equal file and times are one clip of several
    labels, as a label of several names joined by `|` is. An empty label says that none of the classes is heard. Clips
    of one `group` are never divided; without it, those of one file are not.

    Returns:
        A row for each clip: `clip`, its unique name; `file`; `start_s` and `end_s`, where `end_s` is infinite for the
        end of the file; `labels`, a sorted tuple of names; `group`; `fold`, from 1 on, or 0 without that column.

    Raises:
        FileNotFoundError: if a listed file is not there, or there is neither a table nor a folder of a class.
        UserError: naming the table and the row or column that is wrong.
    """
    name = _table_name(folder)
    return _from_folders(folder) if name is None else _from_table(folder, name)


def read_any(folder: Folder) -> pd.DataFrame:
    """As `read_labelled`, without rows for a folder that holds no file."""
    return read_labelled(folder) if folder else pd.DataFrame(columns=list(CLIP_COLUMNS))


def _table_name(folder: Folder) -> str | None:
    if TABLE in folder:
        return TABLE
    tables = [name for name in folder if "/" not in name and PurePosixPath(name).suffix.lower() == ".csv"]
    return tables[0] if len(tables) == 1 else None


def _source(folder: Folder) -> BenchmarkFolder:
    return BenchmarkFolder(folder, "your labelled sounds", PAGE, "correct it", "put them there")


def _from_folders(folder: Folder) -> pd.DataFrame:
    table = folders_of_classes(_source(folder))
    files = table["file"]
    labels = table["label"].map(_names)
    times = {"start_s": 0.0, "end_s": math.inf}
    return pd.DataFrame({"clip": files, "file": files, **times, "labels": labels, "group": files, "fold": 0})


def _from_table(folder: Folder, name: str) -> pd.DataFrame:
    source = _source(folder)
    table = source.table(name, ["file"], optional=["fold", "group"])
    named = {str(column).strip().casefold(): column for column in table.columns}
    if "label" not in named:
        raise source.wrong(name, "has no column label")
    cells = {column: table[named[column]] if column in named else None for column in COLUMNS}
    rows = pd.DataFrame({"file": table["file"]})
    audio = source.sounds(name, rows["file"].unique().tolist())
    place = dict(zip(rows["file"].unique(), (file.name for file in audio), strict=True))
    rows["file"] = rows["file"].map(place)
    rows["start_s"] = _seconds(source, name, cells["start_s"], len(rows), 0.0)
    rows["end_s"] = _seconds(source, name, cells["end_s"], len(rows), math.inf)
    _require_spans(source, name, rows)
    rows["labels"] = [_names(unicodedata.normalize("NFC", cell)) for cell in table[named["label"]]]
    rows["group"] = rows["file"] if cells["group"] is None else cells["group"].str.normalize("NFC")
    rows["fold"] = 0 if cells["fold"] is None else source.folds(name, cells["fold"])
    return _joined(source, name, rows)


def _seconds(source: BenchmarkFolder, name: str, cells: pd.Series | None, count: int, default: float) -> np.ndarray:
    if cells is None:
        return np.full(count, default)
    seconds = pd.to_numeric(cells.where(cells != "", str(default)), errors="coerce").to_numpy(float)
    if (wrong := np.flatnonzero(np.isnan(seconds) | (seconds < 0))).size:
        row = wrong[0]
        raise source.wrong(name, f"has {cells.iloc[row]!r} for seconds in row {row + 1}")
    return seconds


def _require_spans(source: BenchmarkFolder, name: str, rows: pd.DataFrame) -> None:
    if (wrong := np.flatnonzero(rows["end_s"] <= rows["start_s"])).size:
        raise source.wrong(name, f"has an end_s in row {wrong[0] + 1} that is not after its start_s")


def _joined(source: BenchmarkFolder, name: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of equal file and times as one."""
    clips = []
    for key, same in rows.groupby(["file", "start_s", "end_s"], sort=False):
        file, start_s, end_s = cast("tuple[str, float, float]", key)
        for column in ("group", "fold"):
            if same[column].nunique() > 1:
                first, second, *_ = same[column].unique()
                raise source.wrong(name, f"has {file} with the {column}s {first!r} and {second!r}")
        labels = tuple(sorted({label for names in same["labels"] for label in names}))
        whole = start_s == 0 and end_s == math.inf
        clip = file if whole else f"{file}{SEPARATOR}{_second(start_s)}-{_second(end_s)}"
        clips.append((clip, file, start_s, end_s, labels, same["group"].iloc[0], int(same["fold"].iloc[0])))
    table = pd.DataFrame(clips, columns=list(CLIP_COLUMNS))
    folds_of = table.groupby("group")["fold"].unique()
    if len(divided := folds_of[folds_of.map(len) > 1]):
        folds = tuple(sorted(divided.iloc[0].tolist()))
        raise source.wrong(name, f"has the group {divided.index[0]!r} in the folds {folds}")
    return table


def _second(seconds: float) -> str:
    """A time in the name of a clip, with all digits by which it differs from others."""
    return "end" if seconds == math.inf else repr(seconds).removesuffix(".0")


def _names(cell: str) -> tuple[str, ...]:
    names = [name for part in cell.split(SEPARATOR) if (name := part.strip())]
    return tuple(sorted({name for name in names if name.casefold() not in NOTHING}))


def class_names(labels: Sequence[tuple[str, ...]]) -> list[str]:
    """All names of some clips, sorted."""
    return sorted({name for names in labels for name in names})


def groups_of_videos(labelled: pd.DataFrame, files: Folder) -> dict[str, str]:
    """The group of each labelled recording by the `video_id` that it has as a source of clips.

    Args:
        labelled: as `read_labelled` returns it.
        files: where its files are.
    """
    from xmodal_kedro.media.probe import VIDEO_ID_DIGITS  # brings the decoder

    groups = dict(zip(labelled["file"], labelled["group"], strict=True))
    return {files[file].sha256[:VIDEO_ID_DIGITS]: group for file, group in groups.items()}
