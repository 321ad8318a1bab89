"""The benchmarks that a network can be judged on, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from xmodal_kedro.evaluation.benchmarks import csv_folds, esc50, litis_rouen, tut_urban_2018, urbansound8k
from xmodal_kedro.evaluation.benchmarks.benchmark import Benchmark
from xmodal_kedro.evaluation.benchmarks.metadata import Size
from xmodal_kedro.storage import Folder


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


CATALOGUE: dict[str, BenchmarkEntry] = {
    "esc50": BenchmarkEntry(
        "ESC-50",
        partial(esc50.read_benchmark, name="esc50"),
        measure="accuracy",
        further_measures=(),
        page=esc50.PAGE,
        licence="CC BY-NC 3.0",
        size=esc50.COMPLETE["esc50"],
    ),
    "esc10": BenchmarkEntry(
        "ESC-10",
        partial(esc50.read_benchmark, name="esc10"),
        measure="accuracy",
        further_measures=(),
        page=esc50.PAGE,
        licence="CC BY 3.0",
        size=esc50.COMPLETE["esc10"],
    ),
    "urbansound8k": BenchmarkEntry(
        "UrbanSound8K",
        urbansound8k.read_benchmark,
        measure="accuracy",
        further_measures=("class_accuracy",),
        page=urbansound8k.PAGE,
        licence="CC BY-NC 3.0",
        size=urbansound8k.COMPLETE,
    ),
    "tut_urban_2018": BenchmarkEntry(
        "TUT Urban Acoustic Scenes 2018",
        tut_urban_2018.read_benchmark,
        measure="class_accuracy",
        further_measures=("accuracy",),
        page=tut_urban_2018.PAGE,
        licence="free for non-commercial use, its own",
        size=tut_urban_2018.COMPLETE,
    ),
    "litis_rouen": BenchmarkEntry(
        "LITIS Rouen",
        litis_rouen.read_benchmark,
        measure="class_precision",
        further_measures=("accuracy",),
        page=litis_rouen.PAGE,
        licence="none stated: ask its authors",
        size=litis_rouen.COMPLETE,
    ),
    "csv": BenchmarkEntry(
        "Sounds of your own",
        csv_folds.read_benchmark,
        measure="accuracy",
        further_measures=("class_accuracy",),
        page=csv_folds.PAGE,
        licence="yours",
        size=None,
    ),
}


def read_benchmark(folder: Folder, name: str) -> Benchmark:
    """Take the benchmark `name` of the catalogue from its folder, without opening any sound.

    Raises:
        FileNotFoundError: if a file that describes the clips, or a listed sound, is missing.
        UserError: if the description of the clips is not the benchmark's protocol; see each reader.
    """
    return CATALOGUE[name].read(folder)
