"""UrbanSound8K: Salamon, Jacoby & Bello, "A dataset and taxonomy for urban sound research" (2014).

8732 slices of up to 4 s in 10 classes of city sounds, cut from field recordings. The ten official folds are folders.
Its authors ask never to reshuffle them, since slices of one recording sound alike; the few recordings that lie in two
folds all the same are reported. Each fold is tested once. The measure is accuracy, averaged over the folds.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

import pandas as pd

from xmodal_kedro.errors import UserError
from xmodal_kedro.evaluation.benchmarks.benchmark import Benchmark, BenchmarkEntry, Size, rotate
from xmodal_kedro.evaluation.benchmarks.metadata import BenchmarkFolder
from xmodal_kedro.storage import Folder
from xmodal_kedro.storage.file_names import FileNames
from xmodal_kedro.wording import counted

PAGE = "https://urbansounddataset.weebly.com/urbansound8k.html"
METADATA = "metadata/UrbanSound8K.csv"
FOLDS = tuple(range(1, 11))
COMPLETE = Size(8732, 10)


def read_benchmark(folder: Folder) -> Benchmark:
    """Take UrbanSound8K from its official layout: `metadata/UrbanSound8K.csv`, and slices in `audio/fold1` to `fold10`.

    Groups are the folds. A column `fsID` says which recording of Freesound a slice is of.

    Raises:
        FileNotFoundError: if the metadata or a listed slice is missing.
        UserError: if the metadata lacks a column, lists a file twice, has other folds than the ten official ones, or a
            class in one of them alone; or if a slice lies in another fold's folder.
    """
    source = BenchmarkFolder(folder, "UrbanSound8K", PAGE)
    table = source.table(METADATA, ["slice_file_name", "fold", "class"])
    folds = source.folds(METADATA, table["fold"], FOLDS)
    files = "audio/fold" + pd.Series(folds, table.index).astype(str) + "/" + table["slice_file_name"]
    _check_folders(source, files)
    clips = pd.DataFrame({"file": files, "category": table["class"], "group": folds})
    benchmark = source.benchmark(METADATA, clips, rotate(folds), COMPLETE)
    divided = source.divided("recording", table["fsID"], benchmark.splits) if "fsID" in table else ()
    return replace(benchmark, divided=divided)


def _check_folders(source: BenchmarkFolder, files: pd.Series) -> None:
    present = {PurePosixPath(name).name: name for name in source.folder if name.startswith("audio/")}
    names = FileNames(source.folder)
    moved = [
        (file, present[name])
        for file in files
        if (name := PurePosixPath(file).name) in present and not names.find(file)
    ]
    if moved:
        file, found = moved[0]
        raise UserError(
            f"{source.folder.root} has {counted(len(moved), 'slice')} in another fold's folder than {METADATA} says, "
            f"such as {found} for {file}: take both from the benchmark's archive, and move nothing ({PAGE})"
        )


URBANSOUND8K = BenchmarkEntry(
    "UrbanSound8K",
    read_benchmark,
    measure="accuracy",
    further_measures=("class_accuracy",),
    page=PAGE,
    licence="CC BY-NC 3.0",
    size=COMPLETE,
)
