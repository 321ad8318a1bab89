"""The benchmarks that a network can be judged on, by name."""

from __future__ import annotations

from xmodal_kedro.evaluation.benchmarks.benchmark import Benchmark, BenchmarkEntry
from xmodal_kedro.params.choices import BENCHMARKS, chosen
from xmodal_kedro.storage import Folder

CATALOGUE: dict[str, BenchmarkEntry] = {name: chosen(BENCHMARKS, name) for name in BENCHMARKS}


def benchmark_key(name: str, benchmark: Benchmark) -> str:
    """What a benchmark is known by: its name if it is all of a published one, else with a digest of clips and folds.

    Results compare under equal keys alone: the sample world's benchmark has the layout of ESC-50, and every folder of
    one's own is a `csv`.
    """
    published = CATALOGUE[name].size is not None and benchmark.complete
    return name if published else f"{name}-{benchmark.fingerprint[:8]}"


def read_benchmark(folder: Folder, name: str) -> Benchmark:
    """Take the benchmark `name` of the catalogue from its folder, without opening any sound.

    Raises:
        FileNotFoundError: if a file that describes the clips, or a listed sound, is missing.
        UserError: if the description of the clips is not the benchmark's protocol; see each reader.
    """
    return CATALOGUE[name].read(folder)
