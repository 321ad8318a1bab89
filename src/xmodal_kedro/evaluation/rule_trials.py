"""What networks trained on the labels of several rules are worth on one benchmark: a linear probe of each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import pyarrow as pa
import safetensors.torch

from xmodal_kedro.evaluation.benchmarks.benchmark import Benchmark
from xmodal_kedro.evaluation.embeddings import BatchSize, embed_benchmark_shard, in_order
from xmodal_kedro.evaluation.predictions import as_arrow, probe_splits
from xmodal_kedro.evaluation.representations import NetworkEmbedding, random_network
from xmodal_kedro.evaluation.rules import params_of_seed
from xmodal_kedro.inference.audio_model import AudioModel
from xmodal_kedro.models.card import restore_backbone
from xmodal_kedro.models.device import choose_device
from xmodal_kedro.params import CompareParams, TrainParams, TransferParams
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ
from xmodal_kedro.recipes import recipe
from xmodal_kedro.schemas import RULE_PREDICTIONS_ARROW
from xmodal_kedro.storage import LoadShard, ShardJobs, Shards

UNTRAINED = "untrained"
"""In the place of a rule: the network at random initialisation."""


@dataclass(frozen=True)
class ProbeTask:
    """What every network is probed on.

    Attributes:
        benchmark: its clips and splits.
        sounds: the clips' audio, as `schemas.BenchmarkSounds`.
        transfer: strengths of the linear model to choose from, batch size and device.
    """

    benchmark: Benchmark
    sounds: Mapping[str, LoadShard]
    transfer: TransferParams

    @property
    def fingerprint(self) -> str:
        """Of what the predictions depend on."""
        sounds = " ".join(shard.fingerprint for shard in self.sounds.values())
        return f"{self.benchmark.fingerprint} {sounds} {self.transfer.regularisation}"


def trial_jobs(networks: Shards, task: ProbeTask, train: TrainParams, compare: CompareParams) -> ShardJobs:
    """A job for each trained network, and one for the untrained network of each seed.

    Args:
        networks: as `rules.training_jobs` makes them, by rule and seed.
    """
    untrained = {
        f"{UNTRAINED}-{seed}": partial(judge_untrained, task, params_of_seed(train, seed))
        for seed in range(compare.seeds)
    }
    trained = {key: partial(judge_trained, task, network) for key, network in networks.items()}
    return {**untrained, **trained}


@recipe("compare_probe", version=3, libraries=("torch", "scikit-learn", "scipy"))
def judge_trained(task: ProbeTask, network: LoadShard) -> pa.Table:
    """Probe a network, one of `schemas.RuleNetworks`: `schemas.RulePredictions`."""
    row = network().to_pylist()[0]
    card = json.loads(row["card"])
    backbone = restore_backbone(card, safetensors.torch.load(row["weights"]))
    device = choose_device(task.transfer.device, "transfer_eval.device")
    return _probe(AudioModel.of(backbone, card, device), row["rule"], row["seed"], task)


@recipe("compare_probe_untrained", version=3, libraries=("torch", "scikit-learn", "scipy"))
def judge_untrained(task: ProbeTask, params: TrainParams) -> pa.Table:
    """Probe the network at random initialisation: `schemas.RulePredictions`."""
    front_end = {"log_offset": params.log_offset, "sample_rate_hz": CLIP_SAMPLE_RATE_HZ}
    training = params.model_dump(mode="json")
    card = {"model": params.model, "classes": [""], "front_end": front_end, "training": training}
    device = choose_device(task.transfer.device, "transfer_eval.device")
    return _probe(AudioModel.of(random_network(card, params.seed), card, device), UNTRAINED, params.seed, task)


def _probe(model: AudioModel, rule: str, seed: int, task: ProbeTask) -> pa.Table:
    representation, batch_size = NetworkEmbedding(model), BatchSize(task.transfer.batch_size)
    tables = [part for load in task.sounds.values() for part in embed_benchmark_shard(load, representation, batch_size)]
    embedded = in_order(tables, task.benchmark.clips["file"].tolist())
    predictions = probe_splits(task.benchmark, embedded.embeddings, task.transfer.regularisation)
    return as_arrow(predictions.assign(rule=rule, seed=seed), RULE_PREDICTIONS_ARROW)
