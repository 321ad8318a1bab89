"""Fine-tuning: the whole network is trained on a benchmark, from pretrained weights and from random ones."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold
from torch import Tensor

from xmodal_kedro.data.order import even_sizes
from xmodal_kedro.evaluation.benchmarks.benchmark import Benchmark
from xmodal_kedro.evaluation.representations import PRETRAINED, SCRATCH
from xmodal_kedro.evaluation.sounds import SHARD_SOUNDS, stored_sounds
from xmodal_kedro.features.augment import fit_length
from xmodal_kedro.features.log_mel import LogMel
from xmodal_kedro.inference.batching import equal_lengths
from xmodal_kedro.models import Backbone
from xmodal_kedro.models.card import build_network
from xmodal_kedro.models.device import choose_device, mixed_precision
from xmodal_kedro.params import FineTuneParams
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ, INT16_FULL_SCALE
from xmodal_kedro.recipes import recipe
from xmodal_kedro.schemas import PREDICTIONS_ARROW
from xmodal_kedro.storage import ShardJobs, Shards
from xmodal_kedro.training.schedule import decay_groups, pace, pace_batch_norm

HEAD = "classify."
"""What the names of the weights begin with that belong to the classes, and so to another task."""
WARMUP = 0.1
"""Share of the steps over which the learning rate rises; then it falls along a cosine to zero."""


@dataclass(frozen=True)
class Start:
    """Where fine-tuning begins.

    Attributes:
        card: of the network; its classes give way to the benchmark's.
        weights: of the trained network; None begins with random ones.
    """

    card: Mapping[str, Any]
    weights: Mapping[str, Tensor] | None

    @property
    def fingerprint(self) -> str:
        """Of the weights, or of what random ones are drawn for."""
        drawn = {name: self.card.get("training", {}).get(name) for name in ("model", "vggish_plus")}
        return f"{self.card['weights_digest'] if self.weights else drawn} {self.card['front_end']['log_offset']}"

    def network(self, classes: int, seed: int) -> Backbone:
        """A network for that many classes, its head, at least, at random."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = build_network({**self.card, "classes": [""] * classes})
        if self.weights is not None:
            kept = {name: weight for name, weight in self.weights.items() if not name.startswith(HEAD)}
            network.load_state_dict(kept, strict=False)
        return network


@dataclass(frozen=True)
class Division:
    """One split of a benchmark: `file`, `category` and `group` of its training clips, and of its test clips."""

    fold: int
    train: pd.DataFrame
    test: pd.DataFrame


def fine_tune_benchmark(
    benchmark: Benchmark,
    sounds: Shards,
    card: Mapping[str, Any],
    weights: Mapping[str, Tensor],
    params: FineTuneParams,
    seed: int,
    device: Literal["auto", "cpu", "cuda"],
) -> ShardJobs:
    """A job for each split and either start, so that a run that was killed goes on with the splits it lacks."""
    starts = {PRETRAINED: Start(card, weights), SCRATCH: Start(card, None)}
    return {
        f"{name}-{split.fold:02}": partial(
            fine_tune_split,
            dict(sounds),
            Division(split.fold, benchmark.clips.iloc[split.train], benchmark.clips.iloc[split.test]),
            name,
            start,
            params,
            seed,
            device,
        )
        for name, start in starts.items()
        for split in benchmark.splits
    }


@recipe("fine_tune", version=1, libraries=("torch",))
def fine_tune_split(
    sounds: Shards,
    division: Division,
    name: str,
    start: Start,
    params: FineTuneParams,
    seed: int,
    device: Literal["auto", "cpu", "cuda"],
) -> pa.Table:
    """Train on the split's training clips, but for those that the best epoch is chosen on, and name its test clips.

    Returns:
        `schemas.TransferPredictions`.
    """
    files = set(division.train["file"]) | set(division.test["file"])
    audio = {
        file: sound_T
        for shard in sounds.values()
        for part in stored_sounds(shard, SHARD_SOUNDS)
        for file, sound_T in part
        if file in files
    }
    categories = sorted(division.train["category"].unique())
    held_out_N = hold_out(division.train["category"].to_numpy(), division.train["group"].to_numpy(), params, seed)
    tuner = _Tuner(start, categories, audio, params, seed, choose_device(device, "transfer_eval.device"))
    network = tuner.fit(division.train[~held_out_N], division.train[held_out_N])
    return pa.Table.from_pydict(
        {
            "protocol": ["fine_tune"] * len(division.test),
            "representation": [name] * len(division.test),
            "fold": [division.fold] * len(division.test),
            "file": division.test["file"].tolist(),
            "truth": division.test["category"].tolist(),
            "predicted": tuner.predict(network, division.test["file"].tolist()),
        },
        schema=PREDICTIONS_ARROW,
    )


def hold_out(categories_N: NDArray, groups_N: NDArray, params: FineTuneParams, seed: int) -> NDArray[np.bool_]:
    """Which training clips the best epoch is chosen on: whole groups, about `params.held_out` of the clips.

    Args:
        categories_N: of the training clips.
        groups_N: at least two.
        seed: which of the possible parts.
    """
    parts = max(2, min(round(1 / params.held_out), len(np.unique(groups_N))))
    folds = StratifiedGroupKFold(parts, shuffle=True, random_state=seed)
    _, held_out = next(folds.split(np.zeros(len(groups_N)), categories_N, groups_N))
    return np.isin(np.arange(len(groups_N)), held_out)


class _Tuner:
    def __init__(
        self,
        start: Start,
        categories: Sequence[str],
        audio: Mapping[str, NDArray[np.int16]],
        params: FineTuneParams,
        seed: int,
        device: torch.device,
    ) -> None:
        self.start, self.categories, self.audio = start, list(categories), audio
        self.params, self.seed, self.device = params, seed, device
        self.front_end = LogMel(start.card["front_end"]["log_offset"]).to(device)
        self.samples = round(start.card["clip_s"] * CLIP_SAMPLE_RATE_HZ)

    def fit(self, train: pd.DataFrame, held_out: pd.DataFrame) -> Backbone:
        """The network as it is after the epoch of the highest accuracy on clips held out; the first of equals."""
        network = self.start.network(len(self.categories), self.seed).to(self.device)
        rate = self.params.learning_rate if self.start.weights is not None else self.params.scratch_learning_rate
        optimiser = torch.optim.AdamW(decay_groups(network, self.params.weight_decay), lr=rate)
        sizes = even_sizes(len(train), self.params.batch_size)
        steps = self.params.epochs * len(sizes)
        pace_batch_norm(network, len(sizes))
        best, best_accuracy = copy.deepcopy(network.state_dict()), -1.0
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(self.seed)  # dropout
            for epoch in range(self.params.epochs):
                network.train()
                for number, (audio_BT, targets_BC) in enumerate(self._batches(train, sizes, epoch)):
                    step = epoch * len(sizes) + number
                    for group in optimiser.param_groups:
                        group["lr"] = rate * pace(step, steps, WARMUP)
                    with mixed_precision(self.device):
                        logits_BC, _ = network(self.front_end(audio_BT))
                    F.cross_entropy(logits_BC.float(), targets_BC).backward()
                    optimiser.step()
                    optimiser.zero_grad()
                accuracy = self._accuracy(network, held_out)
                if accuracy > best_accuracy:
                    best, best_accuracy = copy.deepcopy(network.state_dict()), accuracy
        network.load_state_dict(best)
        return network

    def predict(self, network: Backbone, files: Sequence[str]) -> list[str]:
        """What whole sounds are called."""
        network.eval()
        places = np.zeros(len(files), np.int64)
        with torch.inference_mode():
            for first in range(0, len(files), self.params.batch_size):
                some = [self.audio[file] for file in files[first : first + self.params.batch_size]]
                for positions, audio_BT in equal_lengths(some):
                    sound_BT = audio_BT.to(self.device).float() / INT16_FULL_SCALE
                    logits_BC, _ = network(self.front_end(sound_BT))
                    places[first + np.array(positions)] = logits_BC.argmax(1).cpu().numpy()
        return [self.categories[place] for place in places]

    def _accuracy(self, network: Backbone, clips: pd.DataFrame) -> float:
        return float(np.mean(np.array(self.predict(network, clips["file"].tolist())) == clips["category"].to_numpy()))

    def _batches(self, clips: pd.DataFrame, sizes: Sequence[int], epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Sounds float32 [batch, samples], cut at random, and targets [batch, classes], mixed in pairs: Zhang et al.,
        "mixup" (2018)."""
        rng = np.random.default_rng([self.seed, epoch])
        truths = clips["category"].map(self.categories.index).to_numpy()
        files = clips["file"].to_numpy()
        order = rng.permutation(len(clips))
        for places in np.split(order, np.cumsum(sizes)[:-1]):
            sounds = [self.audio[file] for file in files[places]]
            starts = rng.integers([max(0, len(sound_T) - self.samples) for sound_T in sounds], endpoint=True).tolist()
            cut = [fit_length(sound_T, self.samples, at) for sound_T, at in zip(sounds, starts, strict=True)]
            audio_BT = torch.from_numpy(np.stack(cut)).to(self.device).float() / INT16_FULL_SCALE
            targets_BC = F.one_hot(torch.from_numpy(truths[places]), len(self.categories)).to(self.device).float()
            if self.params.mixup_alpha:
                alpha, partner_B = self.params.mixup_alpha, rng.permutation(len(places))
                share_B1 = torch.from_numpy(rng.beta(alpha, alpha, (len(places), 1)).astype(np.float32))
                share_B1 = share_B1.to(self.device)
                audio_BT = torch.lerp(audio_BT[partner_B], audio_BT, share_B1)
                targets_BC = torch.lerp(targets_BC[partner_B], targets_BC, share_B1)
            yield audio_BT, targets_BC
