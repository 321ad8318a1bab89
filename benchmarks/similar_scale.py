"""Search by example in many windows: time and memory of the first search, which makes the index, and of later ones.

    python benchmarks/similar_scale.py [--windows N] [--size N] [--folder FOLDER]

Embeddings are drawn from a normal distribution, since the search compares all of them whatever they are. They were
checked against real ones: `--within RECORDINGS` measures the same on what the pipeline `embed` made. Beside it stands
the limit: reading the matrix once, from memory, with NumPy's sum.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from machine import describe_machine, table

from xmodal_kedro.inference.similar import INDEX, SHARDS, VECTORS, open_index

ROWS = 50_000
ROUNDS = 5


def store(folder: Path, windows: int, size: int) -> None:
    """Shards of drawn embeddings, of 500 windows a recording."""
    (folder / SHARDS).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for start in range(0, windows, ROWS):
        rows = min(ROWS, windows - start)
        flat = pa.array(rng.standard_normal(rows * size, np.float32))
        at = np.arange(start, start + rows)
        columns = {
            "uri": pa.array([f"{row // 500}.wav" for row in at]),
            "start_s": pa.array(4.0 * (at % 500)),
            "end_s": pa.array(4.0 * (at % 500) + 4),
            "embedding": pa.ListArray.from_arrays(np.arange(0, rows * size + 1, size, dtype=np.int32), flat),
        }
        pq.write_table(pa.table(columns), folder / SHARDS / f"{start:09}.parquet", compression="zstd")


def measure(folder: Path) -> list[list[str]]:
    """Seconds of each step."""
    began = time.perf_counter()
    index = open_index(folder)
    made = time.perf_counter() - began
    vectors = np.memmap(folder / INDEX / VECTORS, np.float32, "r")
    query = np.array(vectors[: len(vectors) // len(index)])
    searches, limits = [], []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        open_index(folder).nearest(query, 20)
        searches.append(time.perf_counter() - began)
        began = time.perf_counter()
        vectors.sum()
        limits.append(time.perf_counter() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    gigabytes = vectors.nbytes / 1e9
    return [
        ["first, which makes the index", f"{made:.1f} s", f"{gigabytes / made:.2f} GB/s"],
        ["later, median", f"{median(searches):.2f} s", f"{gigabytes / median(searches):.2f} GB/s"],
        ["limit: the sum of the matrix", f"{median(limits):.2f} s", f"{gigabytes / median(limits):.2f} GB/s"],
        ["peak memory, mapped pages included", f"{peak:,.0f} MB", f"{gigabytes:.2f} GB of matrix"],
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--windows", type=int, default=1_000_000)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--folder", type=Path, help="for some gigabytes  [a temporary one]")
    parser.add_argument("--within", type=Path, help="embedded recordings, in place of drawn ones")
    options = parser.parse_args(arguments)
    print(describe_machine())
    with tempfile.TemporaryDirectory(dir=options.folder) as scratch:
        folder = options.within or Path(scratch)
        if options.within is None:
            store(folder, options.windows, options.size)
        print(table(["search", "time", "rate"], measure(folder)))


if __name__ == "__main__":
    main()
