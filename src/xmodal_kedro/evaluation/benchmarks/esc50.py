"""ESC-50 and its ten-class subset ESC-10: Piczak, "ESC: dataset for environmental sound classification" (2015).

2000 clips of 5 s in 50 classes, 40 each; ESC-10 is 400 of them in 10 classes. Five official folds are to keep clips of
one recording together, and do so but for a few recordings, which are reported. Each fold is tested once. The measure is
accuracy, averaged over the folds.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import partial
from pathlib import PurePosixPath
from typing import Literal

import pandas as pd

from xmodal_kedro.errors import UserError
from xmodal_kedro.evaluation.benchmarks.benchmark import Benchmark, BenchmarkEntry, Size, rotate
from xmodal_kedro.evaluation.benchmarks.metadata import BenchmarkFolder
from xmodal_kedro.storage import Folder

PAGE = "https://github.com/karolpiczak/ESC-50"
METADATA = "meta/esc50.csv"
FOLDS = (1, 2, 3, 4, 5)
COMPLETE = {"esc50": Size(2000, 50), "esc10": Size(400, 10)}
"""Clips and classes of the published benchmarks."""
ESC10_DIGEST = "b9b54f5a97609672b60c5e81a1221652"
"""Of the names, folds and categories of ESC-10, which ESC-50 holds too: other sounds may be as many."""


def read_benchmark(folder: Folder, name: Literal["esc50", "esc10"]) -> Benchmark:
    """Take the benchmark `name` from a folder in ESC-50's layout: `meta/esc50.csv`, and sounds below `audio/`.

    Groups are the folds. A column `src_file` says which recording a clip is of.

    Raises:
        FileNotFoundError: if the metadata or a listed sound is missing.
        UserError: if the metadata has no clips, lacks a column, lists a file twice, has other folds than the five
            official ones, or a class in one of them alone.
    """
    source = BenchmarkFolder(folder, "ESC-50", PAGE)
    table = source.table(METADATA, ["filename", "fold", "category", *(["esc10"] if name == "esc10" else [])])
    chosen = table["esc10"].str.lower() == "true" if name == "esc10" else pd.Series(True, table.index)
    others = "audio/" + table["filename"][~chosen]
    table = table[chosen]
    if table.empty:
        raise UserError(
            f"{source.place(METADATA)} lists no clip of {name}: {source.remedy} ({PAGE}), or set "
            "transfer_eval.benchmark to what the folder holds"
        )
    folds = source.folds(METADATA, table["fold"], FOLDS)
    clips = pd.DataFrame({"file": "audio/" + table["filename"], "category": table["category"], "group": folds})
    benchmark = source.benchmark(METADATA, clips, rotate(folds), COMPLETE[name], others=others.to_list())
    divided = source.divided("recording", table["src_file"], benchmark.splits) if "src_file" in table else ()
    return replace(benchmark, complete=benchmark.complete and _holds_esc10(table), divided=divided)


def _holds_esc10(table: pd.DataFrame) -> bool:
    """Whether the clips that are marked so are ESC-10's, in whatever format."""
    if "esc10" not in table:
        return False
    marked = table[table["esc10"].str.lower() == "true"]
    stems = marked["filename"].map(lambda name: PurePosixPath(name).stem)
    rows = sorted(stems + "," + marked["fold"] + "," + marked["category"])
    return hashlib.blake2b("\n".join(rows).encode(), digest_size=16).hexdigest() == ESC10_DIGEST


ESC50 = BenchmarkEntry(
    "ESC-50",
    partial(read_benchmark, name="esc50"),
    measure="accuracy",
    further_measures=(),
    page=PAGE,
    licence="CC BY-NC 3.0",
    size=COMPLETE["esc50"],
)
ESC10 = BenchmarkEntry(
    "ESC-10",
    partial(read_benchmark, name="esc10"),
    measure="accuracy",
    further_measures=(),
    page=PAGE,
    licence="CC BY 3.0",
    size=COMPLETE["esc10"],
)
