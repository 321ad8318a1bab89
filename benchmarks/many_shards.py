"""Overhead of the engine, and memory of its driver, by the number of shards.

python benchmarks/many_shards.py [--shards 10,100,1000] [--workers 8] [--seconds 8] [--json OUT]

A run of `clip` over as many recordings as there are shards, with a decoder that sleeps (`stub_media.py`) instead of
decoding: so there can be more workers than cores, and the rest is measured. Manifest, shards, checks, storage and the
engine are the project's; each size runs in its own process.

Overhead is the time that workers exist without working. The work of a shard is the time from its job's
start on until its last clip is stored. `overhead` counts a worker from the beginning of its first job, `with start`
from the beginning of the run, the start of its process included, which is paid once for any number of shards. Both
include the rest: handing out jobs, footers, renaming, the index, and workers that wait for the others' last jobs.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import yaml
from machine import describe_machine, table
from stub_media import PARAMS, make_recordings, stubbed, work_of

from xmodal_kedro.datasets.sharded import ShardedParquetDataset
from xmodal_kedro.datasets.sources import SourcesDataset
from xmodal_kedro.params import IngestParams
from xmodal_kedro.pipelines.clip.nodes import clip_videos, gather_unclipped
from xmodal_kedro.schemas.shard_checks import EachShard
from xmodal_kedro.storage import ShardJobs

CATALOG = Path(__file__).parents[1] / "conf/base/catalog/03_primary.yml"
STORING = ("compression", "row_group_rows")
SIZES = "10,100,1000"
BACKENDS = ("loky", "dask")
SAMPLE_EVERY_S = 0.1


@contextmanager
def watched() -> Iterator[dict[str, int]]:
    """Memory of this process alone (USS): `before` the block, and the `peak` within it, bytes."""
    process, done = psutil.Process(), threading.Event()
    before = process.memory_full_info().uss
    memory = {"before": before, "peak": before}

    def watch() -> None:
        while not done.wait(SAMPLE_EVERY_S):
            memory["peak"] = max(memory["peak"], process.memory_full_info().uss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield memory
    finally:
        done.set()
        watcher.join()


def measure(folder: Path, shards: int, workers: int, seconds: float, backend: str) -> dict[str, Any]:
    """Clip the recordings, then once more with nothing left to do."""
    videos = make_recordings(folder / "recordings", shards)
    log = folder / "log"
    log.mkdir()
    entry = yaml.safe_load(CATALOG.read_text())["clips"]
    storing = {field: entry[field] for field in STORING}
    check = EachShard(**entry["validator"]["options"])
    with watched() as uss:
        started_s = time.time()
        source = SourcesDataset(path=str(folder / "recordings/manifest.csv")).load()
        made = clip_videos(videos, source, PARAMS, IngestParams())
        jobs: ShardJobs = {key: partial(stubbed, job, seconds, str(log)) for key, job in made.items()}
        checked: ShardJobs = dict(check.validate(jobs))
        engine = {"backend": backend, "workers": workers}
        clips = ShardedParquetDataset(path=str(folder / "clips"), engine=engine, **storing)
        clips.save(checked)
        wall_s = time.time() - started_s
        again_s = time.time()
        clips.save(checked)
        again_s = time.time() - again_s
        gather_unclipped(clips.load(), videos)
    work = work_of(log)
    work_s = float((work["ended_s"] - work["started_s"]).sum())
    first_s = work.groupby("worker")["started_s"].min()
    return {
        "shards": len(work),
        "workers": len(first_s),
        "work_s": work_s / len(first_s),
        "wall_s": wall_s,
        "overhead": float((started_s + wall_s - first_s).sum()) / work_s - 1,
        "overhead_with_start": wall_s * len(first_s) / work_s - 1,
        "start_s": float(first_s.mean()) - started_s,
        "end_s": started_s + wall_s - float(work["ended_s"].max()),
        "again_s": again_s,
        "before_bytes": uss["before"],
        "most_bytes": uss["peak"],
    }


def describe(results: Sequence[dict[str, Any]]) -> str:
    """One row for each size."""
    header = ["shards", "work a worker, s", "run, s", "overhead", "with start", "start, s", "after the last, s"]
    header += ["run again, s", "driver before, MB", "peak, MB"]
    rows = []
    for one in results:
        cells = [f"{one['shards']:,}", f"{one['work_s']:,.1f}", f"{one['wall_s']:,.1f}"]
        cells += [f"{100 * one[name]:.1f} %" for name in ("overhead", "overhead_with_start")]
        cells += [f"{one[name]:.1f}" for name in ("start_s", "end_s", "again_s")]
        rows.append(cells + [f"{one[name] / 1e6:.1f}" for name in ("before_bytes", "most_bytes")])
    return table(header, rows)


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", default=SIZES, help="numbers of shards, joined by commas")
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=8.0, help="of sleep in a job, half to one and a half times")
    parser.add_argument("--backend", choices=BACKENDS, default=BACKENDS[0], help="dask: a cluster of this machine")
    parser.add_argument("--folder", type=Path, help="for the shards, 3 MB each; they are removed in the end")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.alone:
        found = measure(options.folder, int(options.shards), options.workers, options.seconds, options.backend)
        options.json.write_text(json.dumps(found))
        return
    results = []
    for shards in options.shards.split(","):
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            output = Path(folder, "found.json")
            given = ["--shards", shards, "--workers", f"{options.workers}", "--seconds", f"{options.seconds}"]
            given += ["--backend", options.backend, "--folder", folder, "--json", str(output), "--alone"]
            subprocess.run([sys.executable, __file__, *given], check=True)
            results.append(json.loads(output.read_text()))
            print(json.dumps(results[-1]), file=sys.stderr, flush=True)
    how = f"{options.workers} workers of {options.backend}, {options.seconds:g} s a shard"
    print(f"{describe_machine()}\n{how}\n\n{describe(results)}")
    if options.json:
        options.json.write_text(json.dumps({"machine": describe_machine(), "how": how, "sizes": results}, indent=1))


if __name__ == "__main__":
    main(sys.argv[1:])
