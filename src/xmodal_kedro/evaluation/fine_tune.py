"""Fine-tuning: the whole network is trained on a benchmark, from pretrained weights and from random ones."""

from __future__ import annotations

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

from xmodal_kedro.data.batch import Batch
from xmodal_kedro.data.order import even_sizes
from xmodal_kedro.evaluation.benchmarks.benchmark import Benchmark
from xmodal_kedro.evaluation.predictions import as_arrow
from xmodal_kedro.evaluation.representations import PRETRAINED, SCRATCH
from xmodal_kedro.evaluation.sounds import SHARD_SOUNDS, stored_sounds
from xmodal_kedro.features.augment import fit_length
from xmodal_kedro.inference.audio_model import AudioModel
from xmodal_kedro.inference.waveforms import from_int16
from xmodal_kedro.models.backbone import Backbone
from xmodal_kedro.models.card import build_network
from xmodal_kedro.models.device import choose_device
from xmodal_kedro.params import FineTuneParams, TrainParams
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ
from xmodal_kedro.progress import watched
from xmodal_kedro.recipes import recipe
from xmodal_kedro.schemas import PREDICTIONS_ARROW
from xmodal_kedro.storage import ShardJobs, Shards
from xmodal_kedro.training.checkpoint import plain_weights
from xmodal_kedro.training.learner import Learner, single_label_loss
from xmodal_kedro.training.schedule import learning_rate
from xmodal_kedro.training.student import Student

HEAD = "classify."
"""Prefix of the names of the classifier's weights, which belong to other classes."""
WARMUP = 0.1
"""Share of the steps over which the learning rate rises; then it falls along a cosine to zero."""


@dataclass(frozen=True)
class Start:
    """Where fine-tuning begins.

    Attributes:
        card: of the network; its classes are replaced by the benchmark's.
        weights: of the trained network; None begins with random ones.
    """

    card: Mapping[str, Any]
    weights: Mapping[str, Tensor] | None

    @property
    def fingerprint(self) -> str:
        """Of the weights, or of the options that random ones are drawn for."""
        drawn = {name: self.card.get("training", {}).get(name) for name in ("model", "vggish_plus")}
        return f"{self.card['weights_digest'] if self.weights else drawn} {self.card['front_end']['log_offset']}"

    def network(self, classes: int, seed: int) -> Backbone:
        """A network for that many classes, with a random head at least."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = build_network({**self.card, "classes": [""] * classes})
        if self.weights is not None:
            kept = {name: weight for name, weight in self.weights.items() if not name.startswith(HEAD)}
            network.load_state_dict(kept, strict=False)
        return network

    def train_params(self, params: FineTuneParams, seed: int) -> TrainParams:
        """How the learner fine-tunes: no average of weights, and no limit of gradients."""
        return TrainParams(
            model=self.card["model"],
            epochs=params.epochs,
            batch_size=params.batch_size,
            clip_s=self.card["clip_s"],
            learning_rate=params.scratch_learning_rate if self.weights is None else params.learning_rate,
            weight_decay=params.weight_decay,
            warmup_fraction=WARMUP,
            gradient_clip=None,
            ema_decay=0.0,
            log_offset=self.card["front_end"]["log_offset"],
            mixup_alpha=params.mixup_alpha,
            compile=False,
            seed=seed,
        )


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
    """A job for each split and either start, so that a run that was killed resumes with the splits it lacks."""
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


@recipe("fine_tune", version=2, libraries=("torch",))
def fine_tune_split(
    sounds: Shards,
    division: Division,
    name: str,
    start: Start,
    params: FineTuneParams,
    seed: int,
    device: Literal["auto", "cpu", "cuda"],
) -> pa.Table:
    """Train on the split's training clips, except those that the best epoch is chosen on, and classify its test clips.

    Returns:
        `schemas.TransferPredictions`.
    """
    files = set(division.train["file"]) | set(division.test["file"])
    audio = {
        file: audio_T
        for shard in sounds.values()
        for part in stored_sounds(shard, SHARD_SOUNDS)
        for file, audio_T in part
        if file in files
    }
    categories = sorted(division.train["category"].unique())
    held_out_N = hold_out(division.train["category"].to_numpy(), division.train["group"].to_numpy(), params, seed)
    tuner = Tuner(
        start, categories, audio, start.train_params(params, seed), choose_device(device, "transfer_eval.device")
    )
    model = tuner.fit(division.train[~held_out_N], division.train[held_out_N])
    predictions = division.test[["file"]].assign(
        protocol="fine_tune",
        representation=name,
        fold=division.fold,
        truth=division.test["category"],
        predicted=tuner.classify(model, division.test["file"].tolist()),
    )
    return as_arrow(predictions, PREDICTIONS_ARROW)


def hold_out(categories_N: NDArray, groups_N: NDArray, params: FineTuneParams, seed: int) -> NDArray[np.bool_]:
    """Which training clips the best epoch is chosen on: whole groups, about `params.held_out` of the clips.

    Args:
        categories_N: of the training clips; one category has two of them at least.
        groups_N: at least two.
        seed: which of the possible parts.
    """
    largest = int(np.unique(categories_N, return_counts=True)[1].max())
    parts = max(2, min(round(1 / params.held_out), len(np.unique(groups_N)), largest))
    folds = StratifiedGroupKFold(parts, shuffle=True, random_state=seed)
    _, held_out = next(folds.split(np.zeros(len(groups_N)), categories_N, groups_N))
    return np.isin(np.arange(len(groups_N)), held_out)


class Tuner:
    """One fine-tuning, on audio that is all in memory: benchmarks have some thousand short sounds.

    Args:
        start: weights to begin with.
        categories: of the benchmark, in the order of the logits.
        audio: int16 [samples] by file.
        params: of the learner.
        device: where it trains.
    """

    def __init__(
        self,
        start: Start,
        categories: Sequence[str],
        audio: Mapping[str, NDArray[np.int16]],
        params: TrainParams,
        device: torch.device,
    ) -> None:
        self.start, self.categories, self.audio = start, list(categories), audio
        self.params, self.device = params, device
        self.card = {**start.card, "classes": self.categories, "exclusive": True}

    def fit(self, train: pd.DataFrame, held_out: pd.DataFrame) -> AudioModel:
        """The network after the epoch of the highest accuracy on the clips held out; the first of equals."""
        student = Student(self.start.network(len(self.categories), self.params.seed))
        sizes = even_sizes(len(train), self.params.batch_size)
        learner = Learner(student, single_label_loss, self.params, len(sizes), self.device)
        backbone = learner.average.model.backbone  # without decay, the weights of the last step
        model = AudioModel.of(backbone, self.card, self.device)
        best, best_accuracy = plain_weights(backbone), -1.0
        epochs = watched(
            range(self.params.epochs),
            f"fine-tuning {self.params.model} on {len(train)} clips",
            total=self.params.epochs,
            unit="epochs",
        )
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            for epoch in epochs:
                for step, batch in enumerate(self._batches(train, sizes, epoch), start=epoch * len(sizes)):
                    rate = learning_rate(step, self.params.epochs * len(sizes), self.params)
                    learner.step(learner.prepare(batch, step), step, rate)
                names = np.array(self.classify(model, held_out["file"].tolist()))
                accuracy = float(np.mean(names == held_out["category"].to_numpy()))
                if accuracy > best_accuracy:
                    best, best_accuracy = plain_weights(backbone), accuracy
        backbone.load_state_dict(best)
        return model

    def classify(self, model: AudioModel, files: Sequence[str]) -> list[str]:
        """The most probable category of each whole sound."""
        names: list[str] = []
        for first in range(0, len(files), self.params.batch_size):
            audios = [from_int16(self.audio[file]) for file in files[first : first + self.params.batch_size]]
            scores_NC = model.predict(audios, CLIP_SAMPLE_RATE_HZ, batch_size=None).scores
            names += [self.categories[place] for place in scores_NC.argmax(1)]
        return names

    def _batches(self, clips: pd.DataFrame, sizes: Sequence[int], epoch: int) -> Iterator[Batch]:
        """The clips of an epoch in random order, cut at random."""
        rng = np.random.default_rng([self.params.seed, epoch])
        samples = round(self.params.clip_s * CLIP_SAMPLE_RATE_HZ)
        truths = clips["category"].map(self.categories.index).to_numpy()
        files = clips["file"].to_numpy()
        for places in np.split(rng.permutation(len(clips)), np.cumsum(sizes)[:-1]):
            audios = [self.audio[file] for file in files[places]]
            starts = rng.integers([max(0, len(audio_T) - samples) for audio_T in audios], endpoint=True).tolist()
            cut = [fit_length(audio_T, samples, at) for audio_T, at in zip(audios, starts, strict=True)]
            targets_BC = F.one_hot(torch.from_numpy(truths[places]), len(self.categories)).float()
            parts, ids = ((0, len(cut)),), files[places].tolist()
            yield Batch(torch.from_numpy(np.stack(cut)), targets_BC, ids, parts, len(cut))
