"""What networks that learnt from the labels of several rules are worth on one benchmark: a probe of each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
import safetensors.torch
from numpy.typing import NDArray

from xmodal_kedro.evaluation.benchmarks.benchmark import Benchmark
from xmodal_kedro.evaluation.probe import predict_splits
from xmodal_kedro.evaluation.representations import NetworkEmbedding, random_network
from xmodal_kedro.evaluation.rules import params_of_seed
from xmodal_kedro.evaluation.sounds import stored_sounds
from xmodal_kedro.models import Backbone
from xmodal_kedro.models.card import load_model
from xmodal_kedro.models.device import choose_device
from xmodal_kedro.params import CompareParams, TrainParams, TransferParams
from xmodal_kedro.recipes import recipe
from xmodal_kedro.schemas import RULE_PREDICTIONS_ARROW
from xmodal_kedro.storage import LoadShard, ShardJobs, Shards

UNTRAINED = "untrained"
"""In the place of a rule: the network at random initialisation."""


@dataclass(frozen=True)
class ProbeTask:
    """What every network is asked.

    Attributes:
        benchmark: its clips and splits.
        sounds: the clips' sounds, as `schemas.BenchmarkSounds`.
        transfer: strengths of the linear model to choose from, batch size and device.
    """

    benchmark: Benchmark
    sounds: Mapping[str, LoadShard]
    transfer: TransferParams

    @property
    def fingerprint(self) -> str:
        """Of what the answers depend on."""
        sounds = " ".join(shard.fingerprint for shard in self.sounds.values())
        return f"{self.benchmark.fingerprint} {sounds} {self.transfer.regularisation}"


def trial_jobs(networks: Shards, question: ProbeTask, train: TrainParams, compare: CompareParams) -> ShardJobs:
    """A job for each trained network, and one for the untrained network of each seed.

    Args:
        networks: as `rules.training_jobs` makes them, by rule and seed.
    """
    untrained = {
        f"{UNTRAINED}-{seed}": partial(judge_untrained, question, params_of_seed(train, seed))
        for seed in range(compare.seeds)
    }
    trained = {key: partial(judge_trained, question, network) for key, network in networks.items()}
    return {**untrained, **trained}


@recipe("compare_probe", version=1, libraries=("torch", "scikit-learn"))
def judge_trained(question: ProbeTask, network: LoadShard) -> pa.Table:
    """Probe a network, one of `schemas.RuleNetworks`: `schemas.RulePredictions`."""
    row = network().to_pylist()[0]
    card = json.loads(row["card"])
    model = load_model(card, safetensors.torch.load(row["weights"]))
    return _judge(model, card["front_end"]["log_offset"], row["rule"], row["seed"], question)


@recipe("compare_probe_untrained", version=1, libraries=("torch", "scikit-learn"))
def judge_untrained(question: ProbeTask, params: TrainParams) -> pa.Table:
    """Probe the network at random initialisation: `schemas.RulePredictions`."""
    card = {"model": params.model, "classes": [""], "training": params.model_dump(mode="json")}
    return _judge(random_network(card, params.seed), params.log_offset, UNTRAINED, params.seed, question)


def _judge(network: Backbone, log_offset: float, rule: str, seed: int, question: ProbeTask) -> pa.Table:
    device = choose_device(question.transfer.device, "transfer_eval.device")
    vectors = _vectors(NetworkEmbedding(network, log_offset, device), question)
    clips, splits = question.benchmark.clips, question.benchmark.splits
    truths, groups = clips["category"].to_numpy(dtype=str), clips["group"].to_numpy()
    names = predict_splits(vectors, truths, groups, splits, question.transfer.regularisation)
    tested = np.concatenate([split.test for split in splits])
    return pa.Table.from_pydict(
        {
            "rule": [rule] * len(tested),
            "seed": [seed] * len(tested),
            "fold": np.repeat([split.fold for split in splits], [len(split.test) for split in splits]),
            "file": clips["file"].to_numpy()[tested],
            "truth": truths[tested],
            "predicted": np.concatenate(names),
        },
        schema=RULE_PREDICTIONS_ARROW,
    )


def _vectors(embedding: NetworkEmbedding, question: ProbeTask) -> NDArray[np.float64]:
    """Embeddings [clips, size] of the benchmark's sounds, in order."""
    found: dict[str, NDArray[np.float32]] = {}
    for shard in question.sounds.values():
        for part in stored_sounds(shard, question.transfer.batch_size):
            names, sounds = zip(*part, strict=True)
            found.update(zip(names, embedding(sounds).embeddings, strict=True))
    return np.stack([found[file] for file in question.benchmark.clips["file"]]).astype(np.float64)
