"""Time, memory and temporary storage of the search for near-duplicates, by the number of clips.

python benchmarks/near_duplicates.py [--shards 40,400,2930] [--all-pairs 40] [--memory-mb 256] [--rounds 2] [--json OUT]

Searches shards of `simulated_signatures`, of 512 clips each, in a process of its own for each size, and compares what
is found with what was copied. With `--all-pairs` every second of every video is also compared with every second of
every other one, without an index. Processor time includes that of making the signatures, which is measured too.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from machine import describe_machine, table
from numpy.typing import NDArray
from simulated_signatures import CLIPS, HOPS, VIDEOS, WORDS, SimulatedShard, copied_from, simulated

from xmodal_kedro.dedup.agreement import agreement
from xmodal_kedro.dedup.groups import find_near_duplicates, groups
from xmodal_kedro.dedup.videos import load_videos
from xmodal_kedro.params import NearDuplicateParams
from xmodal_kedro.storage import Shards

SAMPLE_EVERY_S = 0.2
BLOCK_WORDS = 14
"""Words of a block that is compared with all others, one in three hops, 1 s: words stay for three hops."""
STEP_HOPS = 3
MAX_BLOCK_ERRORS = 0.36
SLACK_HOPS = 4
BLOCKS_AT_A_TIME, POSITIONS_AT_A_TIME = 2048, 16_384


def main() -> None:
    """Measure each size in a process of its own and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", default="40,400,2930")
    parser.add_argument("--all-pairs", type=int, default=0, help="compare all pairs of so many shards")
    parser.add_argument("--memory-mb", type=int, default=NearDuplicateParams().memory_mb)
    parser.add_argument("--rounds", type=int, default=NearDuplicateParams().rounds)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    params = NearDuplicateParams(memory_mb=options.memory_mb, rounds=options.rounds)
    if options.one is not None:
        print(json.dumps(search(options.one, params)))
        return
    print(describe_machine())
    rows = []
    for shards in options.shards.split(","):
        command = [sys.executable, __file__, "--one", shards, *sys.argv[1:]]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        rows.append(json.loads(done.stdout))
        print(rows[-1], flush=True)
    print(table(list(rows[0]), [[str(value) for value in row.values()] for row in rows]))
    if options.all_pairs:
        print(against_all_pairs(options.all_pairs, params))
    if options.json:
        options.json.write_text(json.dumps(rows))


def search(shards: int, params: NearDuplicateParams) -> dict[str, float]:
    """Search so many shards: what was found, and what it took."""
    signatures, videos = simulated(shards)
    before_mb, start_s, made_s = peak_mb(), time.perf_counter(), making_s(signatures)
    start_cpu_s = time.process_time()
    with tempfile.TemporaryDirectory() as folder, FolderSizes(Path(folder)) as bytes_of:
        tempfile.tempdir = folder
        found = find_near_duplicates(signatures, videos, params)
        tempfile.tempdir = None
    clips = len(videos) * CLIPS
    group_of = _groups(found)
    original, _ = copied_from(np.arange(len(videos)))
    copies = np.flatnonzero(original != np.arange(len(videos)))
    joined = [group_of.get(int(copy), -1) == int(original[copy]) for copy in copies]
    expected = {*copies.tolist(), *original[copies].tolist()}
    return {
        "clips": clips,
        "copies": len(copies),
        "missed": len(copies) - sum(joined),
        "wrongly joined": len(set(group_of) - expected),
        "CPU s": round(time.process_time() - start_cpu_s, 1),
        "of that making signatures": round(made_s * len(signatures) * (params.rounds + 1), 1),
        "wall s": round(time.perf_counter() - start_s, 1),
        "disk, kB a clip": round(max(bytes_of) / clips / 1000, 2),
        "peak MB": peak_mb(),
        "before MB": before_mb,
    }


def making_s(signatures: Shards) -> float:
    """Processor seconds for the signatures of one shard."""
    start_s = time.process_time()
    chosen = list(signatures.values())[:10]
    for shard in chosen:
        shard()
    return (time.process_time() - start_s) / len(chosen)


def _groups(found: pd.DataFrame) -> dict[int, int]:
    """The number of each video's group: that of its first member."""
    return {int(one, 16): int(group, 16) for one, group in zip(found["video_id"], found["group_id"], strict=True)}


class FolderSizes:
    """Samples the size of a folder, bytes, until it is left."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._ended = folder, threading.Event()
        self._sizes = [0]
        self._thread = threading.Thread(target=self._sample)

    def __enter__(self) -> list[int]:
        self._thread.start()
        return self._sizes

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._ended.wait(SAMPLE_EVERY_S):
            self._sizes.append(sum(map(_size_of, self._folder.rglob("*"))))


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_blocks * 512
    except FileNotFoundError:
        return 0


def peak_mb() -> int:
    """Peak memory of this process, megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def against_all_pairs(shards: int, params: NearDuplicateParams) -> str:
    """Compare the groups of the search with those of all pairs."""
    signatures, videos = simulated(shards)
    found = find_near_duplicates(signatures, videos, params)
    by_search = _groups(found)
    loaded = [load_videos(shard) for shard in signatures.values()]
    pairs = []
    for (one, other), hops in blocks_alike(shards):
        first, second = (loaded[video // VIDEOS].video(video % VIDEOS) for video in (one, other))
        at, offset = hops
        if agreement(first, second, at, range(offset - SLACK_HOPS, offset + SLACK_HOPS + 1), params):
            pairs.append((f"{one:032x}", f"{other:032x}"))
    by_all_pairs = {int(member, 16): int(group, 16) for member, group in groups(pairs).items()}
    return (
        f"{len(videos) * CLIPS} clips: all pairs group {len(by_all_pairs)} videos, the search {len(by_search)}; "
        f"{'equal' if by_all_pairs == by_search else 'NOT equal'}"
    )


def blocks_alike(shards: int) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Two videos, the hop in the first and the offset to the second at which 1 s of both is alike, each once."""
    bits_VCWB = np.concatenate([_bits(index) for index in range(shards)])
    positions = np.arange(0, WORDS - BLOCK_WORDS * STEP_HOPS + 1)
    inside = np.arange(BLOCK_WORDS) * STEP_HOPS
    videos = len(bits_VCWB)

    def rows(starts: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
        at = starts[:, None] + inside
        chosen = bits_VCWB[:, :, at].reshape(videos * CLIPS * len(starts), -1)
        video, clip, start = np.indices((videos, CLIPS, len(starts))).reshape(3, -1)
        return chosen, video, clip * HOPS + starts[start]

    blocks, block_video, block_hop = rows(positions[:: BLOCK_WORDS * STEP_HOPS])
    others, other_video, other_hop = rows(positions[::STEP_HOPS])
    threshold = blocks.shape[1] * (1 - 2 * MAX_BLOCK_ERRORS)
    known = set()
    for begin in range(0, len(blocks), BLOCKS_AT_A_TIME):
        block = blocks[begin : begin + BLOCKS_AT_A_TIME].astype(np.float32)
        for other in range(0, len(others), POSITIONS_AT_A_TIME):
            part = slice(other, other + POSITIONS_AT_A_TIME)
            if other_video[part][-1] <= block_video[begin]:
                continue
            products = block @ others[part].astype(np.float32).T
            for one, two in zip(*np.nonzero(products >= threshold), strict=True):
                pair = int(block_video[begin + one]), int(other_video[other + two])
                hop = int(block_hop[begin + one])
                offset = int(other_hop[other + two]) - hop
                if pair[0] < pair[1] and (pair, offset) not in known:
                    known.add((pair, offset))
                    yield pair, (hop, offset)


def _bits(index: int) -> NDArray[np.int8]:
    """The words of a shard as bits of -1 and 1: int8 [videos, clips, words, 32]."""
    words = SimulatedShard(index)(["words"])["words"].combine_chunks().flatten().to_numpy()
    bits = np.unpackbits(words.view(np.uint8).reshape(-1, 4), axis=1).astype(np.int8)
    return (2 * bits - 1).reshape(VIDEOS, CLIPS, WORDS, 32)


if __name__ == "__main__":
    main()
