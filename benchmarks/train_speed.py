"""Training speed of each network in clips per second: the step alone, from shards, and compared with a plain loop.

python benchmarks/train_speed.py [--device cuda] [--models A,B] [--batch 256,512] [--compile] [--profile] [--json OUT]

Clips are 4 s of noise: log-mel of 398 x 64. For each network and size of batch:

- step: all of the training step, front end included, on batches that are ready on the device;
- front end: log-mel alone, as a share of that;
- from shards: the same step on batches that the loader reads from stored shards, as a ratio of the former;
- plain loop: torchaudio's mel on the fly, float32, default layout, Adam, the loss read each step.

Medians over interleaved rounds. On a CPU in one thread, by processor time, so that other programs count less; on CUDA
by wall time, after waiting for the device. Two limits are printed too, see `roofline`. `--compile` also measures
compiled networks; `--profile` prints the time of a step by kind of work.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import kernel_shares
import torch
from machine import describe_machine, table
from roofline import Asked, Machine, count, measure_machine
from simulated_clips import CLASSES, Corpus, store
from train_ways import (
    STEPS_PER_EPOCH,
    PlainLoop,
    Step,
    Timer,
    from_shards,
    front_end_only,
    in_turn,
    log_mel_ways,
    params_of,
    step_only,
)

from xmodal_kedro.models import BACKBONES
from xmodal_kedro.training.learner import Learner
from xmodal_kedro.training.student import Heads

BATCHES = {"cuda": "256,512,1024", "cpu": "32"}
STEPS = {"cuda": 20, "cpu": 1}
"""Steps of one round."""
FROM_SHARDS = {"cuda": 5, "cpu": 1}
"""Factor of steps in a round from shards, so that a loader that falls behind shows."""
LEAD_IN = {"cuda": 1, "cpu": 0}
"""Factor of uncounted steps before it, which use up what was read ahead. On a CPU, reading is 0.1 % of a step."""
ROUNDS = {"cuda": 5, "cpu": 3}
SHARDS = {"cuda": (4, 2_048), "cpu": (2, 512)}
"""Stored shards, and clips of each."""
SHARD_KEYS = {"cuda": 100, "cpu": 2}
"""Keys under which the stored shards are read again, so that an epoch is long enough."""
LOG_MEL_S = 5.0
LOG_MEL_STEPS = 100
WAYS = ("step", "front end", "from shards", "plain loop")


@dataclass(frozen=True)
class Measured:
    """One network in one way.

    Attributes:
        seconds: a step, by way and round; without the ways for which the GPU's memory was too small.
        peak_bytes: most memory of the GPU that the step took; 0 on a CPU.
        shares: milliseconds of a step by kind of work; empty where they were not asked for.
    """

    model: str
    batch_size: int
    compiled: bool
    seconds: dict[str, list[float]] = field(default_factory=dict)
    peak_bytes: int = 0
    shares: dict[str, float] = field(default_factory=dict)

    def speed(self, way: str) -> float:
        """Clips a second."""
        return median(self.batch_size / second for second in self.seconds[way])

    def ratio(self, way: str, other: str) -> float:
        """Time of a way as part of another's, round by round."""
        return median(one / two for one, two in zip(self.seconds[way], self.seconds[other], strict=True))


@dataclass(frozen=True)
class Plan:
    """How much is measured: rounds, steps of each, threads that read shards, and whether to profile."""

    rounds: int
    steps: int
    reader_threads: int
    profiled: bool


def measure(model: str, batch_size: int, compiled: bool, corpus: Corpus, device: torch.device, plan: Plan) -> Measured:
    """Time all ways, or find that memory does not suffice."""
    torch.manual_seed(0)
    try:
        return _measure(model, batch_size, compiled, corpus, device, plan)
    except torch.OutOfMemoryError:
        return Measured(model, batch_size, compiled)
    finally:
        if device.type == "cuda":
            torch.cuda.empty_cache()


def _measure(model: str, batch_size: int, compiled: bool, corpus: Corpus, device: torch.device, plan: Plan) -> Measured:
    # torch has no types for it in every release; without it, graphs of the network before count towards the limit.
    torch._dynamo.reset()  # type: ignore[no-untyped-call, unused-ignore]
    timer = Timer(device)
    steps = dict.fromkeys(WAYS, plan.steps) | {"from shards": plan.steps * FROM_SHARDS[device.type]}
    learner = Learner.for_pretraining(
        params_of(model, batch_size, compiled, plan.reader_threads), CLASSES, Heads(), STEPS_PER_EPOCH, device
    )
    step = step_only(learner)
    peak_bytes = 0
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        timer(step, 2)
        peak_bytes = torch.cuda.max_memory_allocated(device)
    losses = from_shards(learner, corpus)
    ways: dict[str, Step] = {"step": step, "front end": front_end_only(learner), "from shards": partial(next, losses)}
    if not compiled:
        ways |= plain_loop(model, batch_size, device)
    try:
        seconds = in_turn(ways, steps, timer, plan.rounds, plan.steps * LEAD_IN[device.type])
    finally:
        losses.close()
    shares = kernel_shares.profile_steps(learner, step, steps["step"]) if plan.profiled else {}
    return Measured(model, batch_size, compiled, seconds, peak_bytes, shares)


def plain_loop(model: str, batch_size: int, device: torch.device) -> dict[str, Step]:
    """The usual loop; nothing if it does not fit the GPU, of whose memory it takes more than ours."""
    loop = PlainLoop(model, batch_size, device)
    try:
        loop.step()
    except torch.OutOfMemoryError:
        return {}
    return {"plain loop": loop.step}


def describe(found: Sequence[Measured], machine: Machine, asked: dict[str, Asked]) -> str:
    """A row for each."""
    header = ["network", "batch", "step", "front end", "from shards", "of step", "plain loop", "x plain"]
    header += ["compute limit", "memory limit", "of the lower", "GB"]
    rows = []
    for one in found:
        name = f"{one.model}{', compiled' if one.compiled else ''}"
        if not one.seconds:
            rows.append([name, f"{one.batch_size}", "out of memory", *[""] * (len(header) - 3)])
            continue
        plain = ["", ""] if one.compiled else ["out of memory", ""]
        if "plain loop" in one.seconds:
            plain = [_rounded(one.speed("plain loop")), f"{one.ratio('plain loop', 'step'):.2f}"]
        limits = [asked[one.model].compute_limit(machine), asked[one.model].memory_limit(machine)]
        rows.append(
            [
                *(
                    name,
                    f"{one.batch_size}",
                    _rounded(one.speed("step")),
                    f"{100 * one.ratio('front end', 'step'):.1f} %",
                ),
                *(_rounded(one.speed("from shards")), f"{100 * one.ratio('step', 'from shards'):.0f} %"),
                *plain,
                *map(_rounded, limits),
                f"{100 * one.speed('step') / min(limits):.0f} %",
                f"{one.peak_bytes / 1e9:.1f}" if one.peak_bytes else "",
            ]
        )
    return table(header, rows)


def describe_asked(asked: dict[str, Asked]) -> str:
    """Costs of training for one clip."""
    rows = [[name, f"{one.flop / 1e9:.2f}", f"{one.conv_outputs / 1e6:.2f}"] for name, one in asked.items()]
    return table(["network", "GFLOP a clip", "million conv outputs"], rows)


def describe_device(device: torch.device) -> str:
    """Its name and memory, and the versions of what runs on it."""
    if device.type == "cpu":
        return f"{describe_machine()}\n{kernel_shares.torch_versions()}, one thread, processor time"
    properties = torch.cuda.get_device_properties(device)
    memory = f"{properties.total_memory / 2**30:.0f} GiB, {properties.multi_processor_count} multiprocessors"
    return f"{properties.name}, {memory}\n{describe_machine()}\n{kernel_shares.torch_versions()}, by the clock"


def log_mel_times(device: torch.device, rounds: int) -> dict[str, float]:
    """Milliseconds of the log-mel of one 5 s sound by this project and by torchaudio, and the ratio of the latter."""
    ways = log_mel_ways(LOG_MEL_S, device)
    seconds = in_turn(ways, dict.fromkeys(ways, LOG_MEL_STEPS), Timer(device), rounds)
    pairs = list(zip(seconds["torchaudio"], seconds["this project"], strict=True))
    return {
        **{name: 1e3 * median(taken) for name, taken in seconds.items()},
        "ratio": median(theirs / ours for theirs, ours in pairs),
    }


def _rounded(speed: float) -> str:
    return f"{speed:,.0f}" if speed >= 100 else f"{speed:.1f}"


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--models", default=",".join(BACKBONES), help="joined by commas")
    parser.add_argument("--batch", help="sizes, joined by commas; several on CUDA, where memory decides, 32 on a CPU")
    parser.add_argument("--compile", action="store_true", help="measure each network compiled, too")
    parser.add_argument("--profile", action="store_true", help="print the time of a step by kind of work")
    parser.add_argument("--rounds", type=int, help="5 on CUDA, 3 on a CPU")
    parser.add_argument("--steps", type=int, help="of a round: 20 on CUDA, 1 on a CPU")
    parser.add_argument("--reader-threads", type=int, default=params_of("vggish_plus", 2, False).reader_threads)
    parser.add_argument("--folder", type=Path, help="for the shards, 1.4 GB with CUDA, 0.2 on a CPU; they are removed")
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args(arguments)
    device = torch.device(options.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        parser.error("torch finds no CUDA device: leave --device out")
    torch.set_num_threads(1)  # of a CPU; a GPU's step is not made slower
    torch.backends.cudnn.benchmark = device.type == "cuda"  # as in training
    plan = Plan(
        options.rounds or ROUNDS[device.type],
        options.steps or STEPS[device.type],
        options.reader_threads,
        options.profile,
    )
    models = options.models.split(",")
    batches = [int(size) for size in (options.batch or BATCHES[device.type]).split(",")]
    print(describe_device(device), flush=True)
    machine, asked = measure_machine(device), {model: count(model) for model in models}
    rates = f"{machine.flop_per_s / 1e12:,.2f} TFLOP/s in {machine.type}, copies {machine.bytes_per_s / 1e9:,.0f} GB/s"
    print(f"matrix product {rates} (read and written)\n\n{describe_asked(asked)}\n", flush=True)
    log_mel = log_mel_times(device, plan.rounds)
    print(
        f"log-mel of {LOG_MEL_S:g} s, one sound at a time: {log_mel['this project']:.2f} ms, torchaudio "
        f"{log_mel['torchaudio']:.2f} ms, {log_mel['ratio']:.2f} times as long\n",
        flush=True,
    )
    found = []
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        corpus = store(Path(folder), *SHARDS[device.type], workers=2).under_keys(SHARD_KEYS[device.type])
        for model in models:
            for batch_size in batches:
                for compiled in (False, True) if options.compile else (False,):
                    found.append(measure(model, batch_size, compiled, corpus, device, plan))
                    print(describe(found[-1:], machine, asked), file=sys.stderr, flush=True)  # a long run may be ended
    print(f"Clips a second, medians of {plan.rounds} rounds\n\n{describe(found, machine, asked)}")
    for one in found:
        if one.shares:
            header = [
                f"{one.model}, batch {one.batch_size}{', compiled' if one.compiled else ''}",
                "ms a step",
                "share",
            ]
            print(f"\n{table(header, kernel_shares.describe(one.shares))}")
    if options.json:
        figures: dict[str, Any] = {"machine": describe_device(device), "rates": vars(machine), "log_mel_ms": log_mel}
        figures["asked"] = {name: vars(one) for name, one in asked.items()}
        options.json.write_text(json.dumps({**figures, "networks": [vars(one) for one in found]}, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
