"""Clips per second that the loader reads from a warm cache, compared with the usual ways, and its memory.

python benchmarks/loader_speed.py [--rounds N] [--folder TEMPORARY] [--json OUT]

Makes shards of 4 s clips with `simulated_clips`, 3.5 GB, and files for the other ways, 2.1 GB; all are removed at the
end. Each way is measured in its own process, in interleaved rounds, by processor time of all its threads, after a
warm-up of as many clips.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import psutil
import torch
from loader_ways import PARAMS, WAYS, YARDSTICK, Epoch, Way, missing, open_shards, store_for_peers
from machine import describe_machine, table
from simulated_clips import store, stored

SHARDS = 10
CLIPS_PER_SHARD = 2_048
"""About as many as `conf/paper` gives, and as many as are shuffled: a single shard fills the buffer."""
READ_SHARDS = 4
"""Shards whose clips are read to measure speed."""
TIMED_CLIPS = 2 * READ_SHARDS * CLIPS_PER_SHARD
MEMORY_SHARDS = (1, 10, 100)
"""Numbers of shards over which memory is measured; past those that are stored, they are read under further keys."""
MEMORY_CLIPS = 20_480
"""Clips that are read at least, to measure memory."""
SAMPLE_EVERY_S = 0.1


def time_way(folder: Path, name: str, shards: int, clips: int) -> dict[str, float]:
    """Processor and wall time of reading so many clips after as many that are not counted, seconds."""
    batches = _endless(WAYS[name](folder, shards))
    _read(batches, clips)
    started_s, cpu_before_s = time.perf_counter(), time.process_time()
    read = _read(batches, clips)
    return {
        "clips": read,
        "cpu_s": time.process_time() - cpu_before_s,
        "wall_s": time.perf_counter() - started_s,
    }


def _endless(way: Way) -> Epoch:
    for number in itertools.count():
        yield from way(number)


def _read(batches: Epoch, least_clips: int) -> int:
    clips = 0
    while clips < least_clips:
        clips += len(next(batches)[0])
    return clips


def watch_memory(folder: Path, shards: int, least_clips: int) -> dict[str, float]:
    """Memory of this process while it reads an epoch or `clips` clips: `before`, and the peaks, bytes."""
    way = open_shards(folder, PARAMS.reader_threads, shards)
    process, done = psutil.Process(), threading.Event()
    before = process.memory_full_info()
    peak = {"pss": 0, "uss": 0}

    def watch() -> None:
        while not done.wait(SAMPLE_EVERY_S):
            now = process.memory_full_info()
            peak.update({kind: max(peak[kind], getattr(now, kind)) for kind in peak})

    watcher = threading.Thread(target=watch)
    watcher.start()
    epoch_clips = sum(shard.num_rows for shard in stored(folder).under_keys(shards).clips.values())
    try:
        clips = _read(_endless(way), max(epoch_clips, least_clips))
    finally:
        done.set()
        watcher.join()
    return {"shards": shards, "clips": clips, "before_uss": before.uss, **peak}


def in_new_process(folder: Path, *arguments: str) -> dict[str, Any]:
    """The JSON that this script prints when it is called with one task."""
    command = [sys.executable, __file__, "--folder", str(folder), *arguments]
    printed: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return printed


def measure_speed(folder: Path, shards: int, rounds: int) -> dict[str, list[dict[str, Any]]]:
    """Figures of each way that can be measured here, round by round, the first way another one each time."""
    names = [name for name in WAYS if not missing(name)]
    measured: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for turn in range(rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            measured[name].append(in_new_process(folder, "--time", name, "--shards", str(shards)))
    return measured


def describe_speed(measured: dict[str, list[dict[str, Any]]]) -> str:
    """One row for each way."""
    speeds = {name: [turn["clips"] / turn["cpu_s"] for turn in turns] for name, turns in measured.items()}
    rows = []
    for name in WAYS:
        if name not in speeds:
            rows.append([name, missing(name), "", "", ""])
            continue
        ratios = [ours / theirs for ours, theirs in zip(speeds[name], speeds[YARDSTICK], strict=True)]
        low, high = min(speeds[name]), max(speeds[name])
        by_clock = median(turn["clips"] / turn["wall_s"] for turn in measured[name])
        cells = [f"{median(speeds[name]):,.0f}", f"{low:,.0f} to {high:,.0f}", f"{median(ratios):.2f}"]
        rows.append([name, *cells, f"{by_clock:,.0f}"])
    return table(["way", "clips/s per core", "rounds from", "x memmap", "clips/s by the clock"], rows)


def describe_memory(measured: Sequence[dict[str, Any]]) -> str:
    """One row for each number of shards, MB."""
    kinds = ("before_uss", "uss", "pss")
    rows = [
        [f"{one['shards']}", f"{one['clips']:,}", *(f"{one[kind] / 1e6:.0f}" for kind in kinds)] for one in measured
    ]
    return table(["shards", "clips read", "USS before, MB", "peak USS", "peak PSS"], rows)


def run(folder: Path, rounds: int) -> dict[str, Any]:
    """Make the corpus and measure everything."""
    store(folder, SHARDS, CLIPS_PER_SHARD, workers=2)
    store_for_peers(folder, READ_SHARDS)
    speed = measure_speed(folder, READ_SHARDS, rounds)
    memory = [in_new_process(folder, "--memory", "--shards", str(shards)) for shards in MEMORY_SHARDS]
    return {"machine": describe_machine(), "speed": speed, "memory": memory}


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--folder", type=Path, help="for the shards, 6 GB; removed in the end")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--time", help=argparse.SUPPRESS)
    parser.add_argument("--memory", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--shards", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--clips", type=int, default=TIMED_CLIPS, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    if options.time:
        print(json.dumps(time_way(options.folder, options.time, options.shards, options.clips)))
        return
    if options.memory:
        print(json.dumps(watch_memory(options.folder, options.shards, MEMORY_CLIPS)))
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        results = run(Path(folder), options.rounds)
    clips = f"{TIMED_CLIPS:,} reads of {READ_SHARDS * CLIPS_PER_SHARD:,} clips of 4 s from warm cache"
    print(f"{results['machine']}\n{clips}, medians of {options.rounds} rounds\n")
    print(describe_speed(results["speed"]))
    print(f"\nMemory of the reading process, {PARAMS.reader_threads} reader threads\n")
    print(describe_memory(results["memory"]))
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
