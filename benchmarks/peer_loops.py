"""Training steps of PANNs and EfficientAT as in their own scripts, compared with this project's, in the same run.

python benchmarks/peer_loops.py --panns CLONE --efficientat CLONE [--device cuda] [--batch 128] [--compile] [--json OUT]

Each is the folder of a clone of https://github.com/qiuqiangkong/audioset_tagging_cnn or
https://github.com/fschmid56/EfficientAT; a peer that is not given is left out. PANNs needs, beside this project's
packages, `pip install torchlibrosa h5py`. Their steps, with the options that they ship:

- PANNs: 32 kHz, torchlibrosa's log-mel of 64 bands, SpecAugment, mixup of twice as many sounds as the batch has clips,
  Adam with amsgrad, float32, the loss printed each step;
- EfficientAT: 32 kHz, log-mel of 128 bands whose filters are drawn anew each step, mixup, distillation, Adam, float32,
  three losses read each step; and once more with its option of 64 bands.

For each network, in rounds, way by way in turn: their loop; the same network in this project's loop, on its log-mel
of 64 bands of 16 kHz sound; that in float32, where the device computes in bfloat16; that compiled, with `--compile`;
and this project's nearest networks, all with as much mixup and as many masks as the peer. Sound is noise in the host's
memory, and its way to the device is part of each step. On a CPU in one thread, by processor time, so that other
programs count less; on CUDA by the clock, the device's work awaited.

A clip is what the loss counts as one. Multiply-adds are of the network's forward pass for a second of sound, FLOP/s of
its three passes in training, both without the front end. "x own" is speed as a multiple of the peer's own loop, of
EfficientAT's with 64 bands.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any

import torch
from machine import table
from peer_ways import PEERS_HOP_LENGTH, PEERS_SAMPLE_RATE_HZ, Contender, Setting, efficientat, our_step, panns
from roofline import COUNTED_CLIPS, PASSES
from simulated_clips import CLASSES, CLIP_S
from torch.utils.flop_counter import FlopCounterMode
from train_speed import describe_device
from train_ways import Step, Timer, in_turn

from xmodal_kedro.errors import UserError
from xmodal_kedro.features.framing import frames_of_samples
from xmodal_kedro.features.log_mel import MEL_BANDS
from xmodal_kedro.models import build
from xmodal_kedro.models.backbone import Backbone
from xmodal_kedro.models.device import mixed_precision
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ

BATCH = {"cuda": 128, "cpu": 8}
STEPS = {"cuda": 20, "cpu": 1}
ROUNDS = 5


@dataclass(frozen=True)
class Checkout:
    """A peer's repository.

    Attributes:
        folders: where its modules are.
        modules: what `contenders` takes.
        packages: that those need and this project has not.
    """

    address: str
    folders: tuple[str, ...]
    modules: tuple[str, ...]
    packages: str
    contenders: Callable[[Sequence[ModuleType]], list[Contender]]

    def check(self, folder: Path) -> None:
        """Check that a folder is a clone of it.

        Raises:
            UserError: if it is none.
        """
        for name in self.modules:
            file = f"{name.replace('.', '/')}.py"
            if not any((folder / place / file).is_file() for place in self.folders):
                raise UserError(f"{folder} has no {file}: give a clone of {self.address}")

    @contextmanager
    def loaded(self, folder: Path) -> Iterator[list[Contender]]:
        """Its networks. Their modules are forgotten afterwards, as those of the other peer have the same names.

        Raises:
            UserError: if a package is missing.
        """
        places = [str((folder / place).resolve()) for place in self.folders]
        sys.path[:0] = places
        try:
            with chdir(folder):  # where they read their metadata
                modules = [importlib.import_module(name) for name in self.modules]
            yield self.contenders(modules)
        except ModuleNotFoundError as error:
            raise UserError(f"{self.address} needs {error.name}: pip install {self.packages}") from error
        finally:
            for place in places:
                sys.path.remove(place)
            common = {name.partition(".")[0] for name in self.modules}
            for name in [name for name in sys.modules if name.partition(".")[0] in common]:
                del sys.modules[name]


PEERS = {
    "efficientat": Checkout(
        "https://github.com/fschmid56/EfficientAT",
        (".",),
        ("models.mn.model", "models.preprocess", "helpers.utils"),
        "torchaudio torchvision",
        efficientat,
    ),
    "panns": Checkout(
        "https://github.com/qiuqiangkong/audioset_tagging_cnn",
        ("pytorch", "utils"),
        ("models", "pytorch_utils", "losses", "utilities"),
        "torchlibrosa h5py",
        panns,
    ),
}
"""In this order: EfficientAT's `models` is a folder, at which `inspect` stumbles if it was a file before."""


@dataclass(frozen=True)
class Cost:
    """Costs of a network: its weights, and the floating-point operations of a clip's forward pass."""

    parameters: int
    flop: int


@dataclass(frozen=True)
class Measured:
    """A network in a loop.

    Attributes:
        way: network and loop.
        clips_per_s: by round.
        times_own: the same as a multiple of the peer's own loop.
    """

    way: str
    cost: Cost
    clips_per_s: list[float]
    times_own: list[float]


@dataclass(frozen=True)
class Plan:
    """Amount of measurement."""

    steps: int
    rounds: int
    compiled: bool


def count(network: Backbone, frames: int, bands: int) -> Cost:
    """Count on the CPU, in training mode, with log-mel of so many frames and bands."""
    network.train()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.rand((COUNTED_CLIPS, frames, bands)))
    return Cost(sum(weight.numel() for weight in network.parameters()), counter.get_total_flops() // COUNTED_CLIPS)


def ways_of(contender: Contender, setting: Setting, compiled: bool) -> tuple[dict[str, Step], dict[str, Cost], str]:
    """Steps and costs by way, and the way that the others are compared with."""
    name = contender.name
    theirs_frames = 1 + round(setting.seconds * PEERS_SAMPLE_RATE_HZ) // PEERS_HOP_LENGTH
    frames = frames_of_samples(round(setting.seconds * CLIP_SAMPLE_RATE_HZ))
    steps: dict[str, Step] = {}
    costs: dict[str, Cost] = {}
    for bands, make in contender.own_loops.items():
        own = f"{name}, its own loop, {bands} bands"
        steps[own], costs[own] = make(setting), count(contender.build(), theirs_frames, bands)
    ours: dict[str, dict[str, Any]] = {"this loop": {}}
    if mixed_precision(setting.device)._enabled:
        ours["this loop, float32"] = {"precision": "float32"}
    if compiled:
        ours["this loop, compiled"] = {"compile": True}
    for loop, changes in ours.items():
        way = f"{name}, {loop}"
        steps[way] = our_step(contender, setting, {**contender.augmentation, **changes})
        costs[way] = count(contender.build(), frames, MEL_BANDS)
    for model in contender.nearest:
        for loop, changes in ours.items():
            if "precision" not in changes:
                way = f"{model}, {loop}"
                steps[way] = our_step(model, setting, {**contender.augmentation, **changes})
                costs[way] = count(build(model, CLASSES), frames, MEL_BANDS)
    return steps, costs, own


def measure(contender: Contender, setting: Setting, plan: Plan) -> list[Measured]:
    """Time all ways in turn; no results if they do not fit the GPU's memory."""
    torch.manual_seed(0)
    try:
        steps, costs, own = ways_of(contender, setting, plan.compiled)
        seconds = in_turn(steps, dict.fromkeys(steps, plan.steps), Timer(setting.device), plan.rounds)
    except torch.OutOfMemoryError:
        print(f"{contender.name}: out of memory, choose a smaller --batch", flush=True)
        return []
    finally:
        if setting.device.type == "cuda":
            torch.cuda.empty_cache()
    return [
        Measured(
            way,
            costs[way],
            [setting.batch / second for second in taken],
            [theirs / ours for theirs, ours in zip(seconds[own], taken, strict=True)],
        )
        for way, taken in seconds.items()
    ]


def describe(found: Sequence[Measured], seconds: float) -> str:
    """A row for each way."""
    header = ["network, loop", "clips/s", "rounds from", "to", "x own", "M parameters", "GMAC/s of sound", "GFLOP/s"]
    rows = []
    for one in found:
        speed = median(one.clips_per_s)
        rows.append(
            [
                one.way,
                *(
                    f"{value:,.{0 if speed >= 100 else 2}f}"
                    for value in (speed, min(one.clips_per_s), max(one.clips_per_s))
                ),
                f"{median(one.times_own):.2f}",
                f"{one.cost.parameters / 1e6:.1f}",
                f"{one.cost.flop / 2e9 / seconds:.3f}",
                f"{PASSES * one.cost.flop * speed / 1e9:,.0f}",
            ]
        )
    return table(header, rows)


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, peer in PEERS.items():
        parser.add_argument(f"--{name}", type=Path, help=f"a clone of {peer.address}")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--batch", type=int, help="clips: 128 on CUDA, 8 on a CPU")
    parser.add_argument("--seconds", type=float, default=CLIP_S, help="of a clip")
    parser.add_argument("--steps", type=int, help="of a round: 20 on CUDA, 1 on a CPU")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--compile", action="store_true", help="measure this project's loop compiled, too")
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args(arguments)
    device = torch.device(options.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        parser.error("torch finds no CUDA device: leave --device out")
    given = {peer: vars(options)[name] for name, peer in PEERS.items() if vars(options)[name] is not None}
    if not given:
        parser.error(f"nothing to compare with: give {' or '.join(f'--{name}' for name in PEERS)}")
    torch.set_num_threads(1)  # of a CPU, as in train_speed
    setting = Setting(options.batch or BATCH[device.type], options.seconds, device)
    plan = Plan(options.steps or STEPS[device.type], options.rounds, options.compile)
    found: list[Measured] = []
    try:
        for peer, folder in given.items():
            peer.check(folder)
        print(f"{describe_device(device)}\nclips of {setting.seconds:g} s, batches of {setting.batch}\n", flush=True)
        for peer, folder in given.items():
            with peer.loaded(folder) as contenders:
                for contender in contenders:
                    found += measure(contender, setting, plan)
                    print(
                        describe(found, setting.seconds), "\n", file=sys.stderr, flush=True
                    )  # a long run may be ended
    except UserError as error:
        parser.error(str(error))
    print(f"Medians of {plan.rounds} rounds\n\n{describe(found, setting.seconds)}")
    if options.json:
        networks = [{**vars(one), "cost": vars(one.cost)} for one in found]
        setting_told = {"batch": setting.batch, "seconds": setting.seconds, "machine": describe_device(device)}
        options.json.write_text(json.dumps({**setting_told, "networks": networks}, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
