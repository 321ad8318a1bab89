"""TUT Urban Acoustic Scenes 2018, development set: Mesaros, Heittola & Virtanen, "A multi-device dataset for urban
acoustic scene classification" (2018); task 1A of DCASE 2018.

8640 segments of 10 s from six cities in 10 scenes, 864 each. There is one official division into 6122 segments to train
on and 2518 to test on, by place of recording. The measure is the mean of the accuracies of each scene.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xmodal_kedro.evaluation.benchmarks.benchmark import Benchmark, BenchmarkEntry, Size, Split
from xmodal_kedro.evaluation.benchmarks.metadata import BenchmarkFolder
from xmodal_kedro.storage import Folder
from xmodal_kedro.wording import counted

PAGE = "https://zenodo.org/records/1228142"
METADATA = "meta.csv"
TRAIN = "evaluation_setup/fold1_train.txt"
TEST = "evaluation_setup/fold1_evaluate.txt"
COMPLETE = Size(8640, 10)


def read_benchmark(folder: Folder) -> Benchmark:
    """Take the benchmark from its official layout: `meta.csv`, `evaluation_setup/` and `audio/`.

    `meta.csv` is tab-separated, with the columns `filename`, `scene_label` and `identifier`; the files of
    `evaluation_setup/` have no header, and name a file and its scene. (`fold1_test.txt` has the same files as
    `fold1_evaluate.txt`, without their scenes.) Groups are places of recording, by `identifier`.

    Raises:
        FileNotFoundError: if one of these files or a listed segment is missing.
        UserError: if one lacks a column or lists a file twice, or if they do not agree on files or scenes.
    """
    source = BenchmarkFolder(folder, "TUT Urban Acoustic Scenes 2018", PAGE)
    table = source.table(METADATA, ["filename", "scene_label", "identifier"], separator="\t")
    groups, _ = pd.factorize(table["identifier"])
    clips = pd.DataFrame({"file": table["filename"], "category": table["scene_label"], "group": groups})
    source.require_once(METADATA, clips["file"].to_list())
    split = Split(1, _positions(source, TRAIN, clips), _positions(source, TEST, clips))
    if len(left := np.setdiff1d(np.arange(len(clips)), [*split.train, *split.test])):
        number, first = counted(len(left), "file"), clips["file"][left[0]]
        raise source.wrong(METADATA, f"lists {number} that neither {TRAIN} nor {TEST} has, such as {first}")
    benchmark = source.benchmark(METADATA, clips, (split,), COMPLETE, divided_by=TEST)
    return replace(benchmark, divided=source.divided("place", table["identifier"], benchmark.splits))


def _positions(source: BenchmarkFolder, name: str, clips: pd.DataFrame) -> NDArray[np.int64]:
    """Which clips a file of the setup names."""
    part = source.table(name, ["filename", "scene_label"], separator="\t", header=False)
    source.require_once(name, part["filename"].to_list())
    positions = pd.Index(clips["file"]).get_indexer(pd.Index(part["filename"]))
    if (unknown := np.flatnonzero(positions < 0)).size:
        file = part["filename"].iloc[unknown[0]]
        raise source.wrong(name, f"has {counted(unknown.size, 'file')} that {METADATA} does not list, such as {file}")
    scenes = clips["category"].to_numpy()[positions]
    if (other := np.flatnonzero(scenes != part["scene_label"].to_numpy())).size:
        file, scene = part.iloc[other[0]][["filename", "scene_label"]]
        raise source.wrong(name, f"calls {file} {scene}, and {METADATA} {scenes[other[0]]}")
    return np.asarray(positions, np.int64)


TUT_URBAN_2018 = BenchmarkEntry(
    "TUT Urban Acoustic Scenes 2018",
    read_benchmark,
    measure="class_accuracy",
    further_measures=("accuracy",),
    page=PAGE,
    licence="free for non-commercial use, its own",
    size=COMPLETE,
)
