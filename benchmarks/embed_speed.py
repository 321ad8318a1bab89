"""Time of evaluating a network: embedding a benchmark of 5 s clips, and probing it.

python benchmarks/embed_speed.py [--models A,B] [--sounds N] [--rounds N] [--device cuda] [--json OUT]

N sounds of noise are stored as `transfer_eval` stores them, and embedded as it does. For each network:

- sounds/s, and minutes for the 2,000 of ESC-50, on one thread of a CPU or on CUDA;
- beside that, the network's forward pass on precomputed log-mel; the rest is reading, front end and pooling;
- peak memory with N clips, and with four times as many.

Then linear probes of 2,000 clips of 50 classes, over five folds and four strengths of regularisation: seconds for
vectors of each network's size. Medians over interleaved rounds; processor time on a CPU, where other programs count
less.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import torch
from machine import describe_machine, table

from xmodal_kedro.datasets.sharded import ShardedParquetDataset
from xmodal_kedro.evaluation.benchmarks.benchmark import rotate
from xmodal_kedro.evaluation.embeddings import embed_benchmark
from xmodal_kedro.evaluation.probe import predict_splits
from xmodal_kedro.evaluation.representations import NetworkEmbedding, random_network
from xmodal_kedro.features.framing import frames_of_samples
from xmodal_kedro.inference.audio_model import AudioModel
from xmodal_kedro.models import BACKBONES
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ
from xmodal_kedro.recipes import Recipe
from xmodal_kedro.schemas import BENCHMARK_SOUNDS_ARROW
from xmodal_kedro.storage import Shards

SOUND_SAMPLES = 80_000
ESC50_SOUNDS, ESC50_CLASSES, ESC50_FOLDS = 2_000, 50, 5
STRENGTHS = (0.001, 0.01, 0.1, 1.0)
BATCH = 32
SHARD_SOUNDS = 128


def store_sounds(folder: Path, count: int) -> Shards:
    """Sounds of noise in shards."""
    stored = ShardedParquetDataset(path=str(folder), compression="none", row_group_rows=BATCH)
    stored.save(
        {f"{first:05}": NoiseShard(first, min(count, first + SHARD_SOUNDS)) for first in range(0, count, SHARD_SOUNDS)}
    )
    return stored.load()


class NoiseShard:
    """The job of one shard."""

    recipe = Recipe("noise", 1)

    def __init__(self, first: int, last: int) -> None:
        self.first, self.last = first, last
        self.fingerprint = f"noise {first} {last}"

    def __call__(self) -> pa.Table:
        rng = np.random.default_rng(self.first)
        rows = [
            {
                "file": f"{number}.wav",
                "audio": rng.normal(0, 3000, SOUND_SAMPLES).astype("<i2").tobytes(),
                "rms_dbfs": -20.8,
            }
            for number in range(self.first, self.last)
        ]
        return pa.Table.from_pylist(rows, schema=BENCHMARK_SOUNDS_ARROW)


def embed(sounds: Shards, representation: NetworkEmbedding) -> int:
    """Embed all clips; returns the peak memory of this process meanwhile, bytes."""
    process, peak = psutil.Process(), 0
    for job in embed_benchmark(sounds, {"network": representation}, BATCH).values():
        for _ in job():  # one table for each batch, as in writing
            peak = max(peak, process.memory_info().rss)
    return peak


def seconds(task: Callable[[], Any], device: torch.device) -> float:
    """Time of a task: the processor's on a CPU, else the clock's."""
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    began = clock()
    task()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return clock() - began


def measure(model: str, sounds: Shards, more: Shards, rounds: int, device: torch.device) -> dict[str, float]:
    """One network: seconds a sound for both ways, and memory."""
    front_end = {"log_offset": 0.01, "sample_rate_hz": CLIP_SAMPLE_RATE_HZ}
    card = {"model": model, "classes": [str(number) for number in range(527)], "front_end": front_end}
    network = random_network(card, 0)
    representation = NetworkEmbedding(AudioModel.of(network, card, device))
    log_mel_BFM = torch.randn(BATCH, frames_of_samples(SOUND_SAMPLES), 64, device=device)
    count = sum(shard.num_rows for shard in sounds.values())

    def forward() -> None:
        with torch.inference_mode():
            for _ in range(count // BATCH):
                network(log_mel_BFM)

    forward()
    times: dict[str, list[float]] = {"embedded": [], "forward": []}
    for _ in range(rounds):
        times["forward"].append(seconds(forward, device) / (count // BATCH * BATCH))
        times["embedded"].append(seconds(lambda: embed(sounds, representation), device) / count)
    memory = {
        "memory_mb": embed(sounds, representation) / 1e6,
        "memory_of_4_times_mb": embed(more, representation) / 1e6,
    }
    size = 2 * network.over_time(log_mel_BFM[:1]).shape[2]
    return {**{name: median(values) for name, values in times.items()}, **memory, "size": size}


def probe_seconds(size: int) -> float:
    """Linear probes of a benchmark as large as ESC-50, on vectors of `size`, by the clock."""
    rng = np.random.default_rng(0)
    names = np.array([f"class {number:02}" for number in range(ESC50_CLASSES)])
    places = np.tile(np.arange(ESC50_CLASSES), ESC50_SOUNDS // ESC50_CLASSES)
    folds = np.repeat(np.arange(1, ESC50_FOLDS + 1), ESC50_SOUNDS // ESC50_FOLDS)
    vectors = rng.normal(size=(ESC50_CLASSES, size))[places] + 4 * rng.normal(size=(ESC50_SOUNDS, size))
    began = time.perf_counter()
    predict_splits(vectors, names[places], folds, rotate(folds), STRENGTHS)
    return time.perf_counter() - began


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default=",".join(BACKBONES), help="joined by commas: all")
    parser.add_argument("--sounds", type=int, default=128, help="to embed in a round: 128")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args(arguments)
    device = torch.device(options.device)
    if device.type == "cpu":
        torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        sounds = store_sounds(Path(folder, "some"), options.sounds)
        more = store_sounds(Path(folder, "more"), 4 * options.sounds)
        found = {
            model: measure(model, sounds, more, options.rounds, device) | {"probe_s": 0.0}
            for model in options.models.split(",")
        }
    for figures in found.values():
        figures["probe_s"] = probe_seconds(int(figures["size"]))
    name = torch.cuda.get_device_name() if device.type == "cuda" else describe_machine()
    print(f"{name}; sounds of 5 s, {options.rounds} rounds\n")
    header = ("", "sounds/s", "of bare forward", "minutes for 2,000", "MB", "MB, 4 times", "vector", "probes, s")
    rows = [
        (
            model,
            f"{1 / figures['embedded']:.1f}",
            f"{figures['forward'] / figures['embedded']:.0%}",
            f"{ESC50_SOUNDS * figures['embedded'] / 60:.1f}",
            f"{figures['memory_mb']:.0f}",
            f"{figures['memory_of_4_times_mb']:.0f}",
            f"{figures['size']:.0f}",
            f"{figures['probe_s']:.0f}",
        )
        for model, figures in found.items()
    ]
    print(table(header, rows))
    if options.json:
        options.json.write_text(json.dumps({"machine": name, "figures": found}, indent=2))


if __name__ == "__main__":
    main(sys.argv[1:])
