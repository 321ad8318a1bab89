"""Which labels to learn from: one network, trained on the labels of each rule of merging, judged on one benchmark.

The question of "Cross-modal supervised learning for better acoustic representations" (arXiv 1911.07917): whether what
is seen and what is heard, together, teach a network more than either alone. All else is equal: clips, network,
parameters, seeds, benchmark, splits, and the linear model on frozen embeddings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from xmodal_kedro.benchmarks.benchmark import Benchmark
from xmodal_kedro.benchmarks.probe import predict_splits
from xmodal_kedro.benchmarks.representations import NetworkEmbedding, random_network
from xmodal_kedro.benchmarks.sounds import stored_sounds
from xmodal_kedro.errors import UserError
from xmodal_kedro.handles import LoadShard, ShardJobs, Shards
from xmodal_kedro.models.device import choose_device
from xmodal_kedro.params import CompareParams, MergeParams, TrainParams, TransferParams
from xmodal_kedro.schemas import RULE_PREDICTIONS_ARROW
from xmodal_kedro.training.data import gather
from xmodal_kedro.training.fit import fit

UNTRAINED = "untrained"
"""In the place of a rule: the network at random initialisation."""


def merge_params(merge: MergeParams, compare: CompareParams) -> dict[str, MergeParams]:
    """What merges the labels of each rule: the project's own parameters, but for the rule."""
    return {rule: merge.model_copy(update={"rule": rule}) for rule in compare.rules}


def jobs_by_rule(jobs: Mapping[str, ShardJobs]) -> ShardJobs:
    """The jobs of all rules, their keys preceded by the rule's name."""
    return {f"{rule}-{key}": job for rule, of_rule in jobs.items() for key, job in of_rule.items()}


def of_rule(shards: Shards, rule: str) -> dict[str, LoadShard]:
    """The shards of one rule, by the keys that they have without it."""
    start = f"{rule}-"
    return {key.removeprefix(start): shard for key, shard in shards.items() if key.startswith(start)}


def vocabulary_of(vocabularies: pd.DataFrame, rule: str) -> pd.DataFrame:
    """One of `schemas.RuleVocabularies`, as `schemas.LabelVocabulary`."""
    return vocabularies[vocabularies["rule"] == rule].drop(columns="rule").reset_index(drop=True)


def told_of_rule(rule: str, task: Callable[[], Any]) -> Any:
    """What a task gives.

    Raises:
        ValueError: as the task, the rule named.
    """
    try:
        return task()
    except ValueError as error:
        raise UserError(f"rule {rule}: {error}; or take it out of compare.rules") from error


@dataclass(frozen=True)
class Question:
    """What every trained network is asked.

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


class NotKept:
    """A place for checkpoints that keeps none: what is lost by a kill is one training of many."""

    path = "memory"

    def load(self) -> None:
        return None

    def save(self, step: int, tensors: Mapping[str, Any], state: Mapping[str, Any], kept: int) -> None:
        pass

    def clear(self) -> None:
        pass


def trial_jobs(
    clips: Shards,
    labels: Shards,
    vocabularies: pd.DataFrame,
    question: Question,
    train: TrainParams,
    compare: CompareParams,
) -> ShardJobs:
    """A job for each rule, and for the untrained network, and each seed: a run that was killed goes on where it was."""
    jobs: ShardJobs = {}
    for seed in range(compare.seeds):
        # The teacher's embedding is the same whatever the rule, and would hide what the labels are worth.
        alone = {"devices": 1, "nodes": 1, "rendezvous": "", "embedding_weight": 0.0}
        params = train.model_copy(update={"seed": seed, **alone})
        jobs[f"{UNTRAINED}-{seed}"] = partial(judge_untrained, question, params)
        for rule in compare.rules:
            vocabulary, of_it = vocabulary_of(vocabularies, rule), of_rule(labels, rule)
            jobs[f"{rule}-{seed}"] = partial(train_and_judge, rule, dict(clips), of_it, vocabulary, question, params)
    return jobs


def train_and_judge(
    rule: str,
    clips: Mapping[str, LoadShard],
    labels: Mapping[str, LoadShard],
    vocabulary: pd.DataFrame,
    question: Question,
    params: TrainParams,
) -> pa.Table:
    """Train on the labels of a rule, and probe: `schemas.RulePredictions`.

    Its metadata tells the number of `classes`, of `clips` that are trained on, and the best `validation_map`.
    """
    data = told_of_rule(rule, lambda: gather(clips, labels, vocabulary, params))
    fitted = fit(data, params, NotKept())
    told = {
        "classes": str(len(data.classes)),
        "clips": str(data.train.groups.clips),
        "validation_map": repr(fitted.best["validation_map"]),
    }
    return _judge(NetworkEmbedding(fitted.model, params.log_offset, _device(question)), rule, question, params, told)


def judge_untrained(question: Question, params: TrainParams) -> pa.Table:
    """Probe the network at random initialisation: `schemas.RulePredictions`."""
    card = {"model": params.model, "classes": [""], "training": params.model_dump(mode="json")}
    network = random_network(card, params.seed)
    return _judge(NetworkEmbedding(network, params.log_offset, _device(question)), UNTRAINED, question, params, {})


def _device(question: Question) -> Any:
    return choose_device(question.transfer.device, "transfer_eval.device")


def _judge(
    embedding: NetworkEmbedding, rule: str, question: Question, params: TrainParams, told: Mapping[str, str]
) -> pa.Table:
    clips, splits = question.benchmark.clips, question.benchmark.splits
    truths, groups = clips["category"].to_numpy(dtype=str), clips["group"].to_numpy()
    names = predict_splits(_vectors(embedding, question), truths, groups, splits, question.transfer.regularisation)
    tested = np.concatenate([split.test for split in splits])
    folds = np.repeat([split.fold for split in splits], [len(split.test) for split in splits])
    table = pa.Table.from_pydict(
        {
            "rule": [rule] * len(tested),
            "seed": [params.seed] * len(tested),
            "fold": folds,
            "file": clips["file"].to_numpy()[tested],
            "truth": truths[tested],
            "predicted": np.concatenate(names),
        },
        schema=RULE_PREDICTIONS_ARROW,
    )
    return table.replace_schema_metadata(dict(told))


def _vectors(embedding: NetworkEmbedding, question: Question) -> NDArray[np.float64]:
    """Embeddings [clips, size] of the benchmark's sounds, in order."""
    found: dict[str, NDArray[np.float32]] = {}
    for shard in question.sounds.values():
        for part in stored_sounds(shard, question.transfer.batch_size):
            names, sounds = zip(*part, strict=True)
            found.update(zip(names, embedding(sounds).embeddings, strict=True))
    return np.stack([found[file] for file in question.benchmark.clips["file"]]).astype(np.float64)
