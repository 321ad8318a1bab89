"""Which labels to learn from: one network, trained on the labels of each rule of merging.

The question of "Cross-modal supervised learning for better acoustic representations" (arXiv 1911.07917): whether what
is seen and what is heard, together, teach a network more than either alone. All else is equal: clips, network,
parameters and seeds. What they are worth is asked in `rule_trials`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pandas as pd
import pyarrow as pa
import safetensors.torch

from xmodal_kedro.errors import UserError
from xmodal_kedro.models.card import describe
from xmodal_kedro.params import CompareParams, MergeParams, TrainParams
from xmodal_kedro.recipes import recipe
from xmodal_kedro.schemas import RULE_NETWORKS_ARROW
from xmodal_kedro.storage import LoadShard, ShardJobs, Shards
from xmodal_kedro.training.checkpoint import plain_weights
from xmodal_kedro.training.fit import fit
from xmodal_kedro.training.training_data import prepare_training_data


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


class NotKept:
    """A place for checkpoints that keeps none: what is lost by a kill is one training of many."""

    path = "memory"

    def load(self) -> None:
        return None

    def save(self, step: int, tensors: Mapping[str, Any], state: Mapping[str, Any], kept: int) -> None:
        pass

    def clear(self) -> None:
        pass


def training_jobs(
    clips: Shards, labels: Shards, vocabularies: pd.DataFrame, train: TrainParams, compare: CompareParams
) -> ShardJobs:
    """A job for each rule and each seed: a run that was killed goes on with those it lacks."""
    jobs: ShardJobs = {}
    for seed in range(compare.seeds):
        params = params_of_seed(train, seed)
        for rule in compare.rules:
            vocabulary, of_it = vocabulary_of(vocabularies, rule), of_rule(labels, rule)
            jobs[f"{rule}-{seed}"] = partial(train_on_rule, rule, dict(clips), of_it, vocabulary, params)
    return jobs


def params_of_seed(train: TrainParams, seed: int) -> TrainParams:
    """What one of the networks is trained with: the project's own parameters, in this process alone.

    The teacher's embedding is left out: it is the same whatever the rule, and would hide what the labels are worth.
    """
    alone = {"devices": 1, "nodes": 1, "rendezvous": "", "embedding_weight": 0.0}
    return train.model_copy(update={"seed": seed, **alone})


@recipe("compare_train", version=1, libraries=("torch",))
def train_on_rule(
    rule: str,
    clips: Mapping[str, LoadShard],
    labels: Mapping[str, LoadShard],
    vocabulary: pd.DataFrame,
    params: TrainParams,
) -> pa.Table:
    """Train on the labels of a rule: one row of `schemas.RuleNetworks`.

    Its metadata tells the number of `classes`, of `clips` that are trained on, and the best `validation_map`.
    """
    data = told_of_rule(rule, lambda: prepare_training_data(clips, labels, vocabulary, params))
    fitted = fit(data, params, NotKept())
    card = describe(fitted.model, data.classes, params, data.fingerprint, fitted.best)
    row = {
        "rule": rule,
        "seed": params.seed,
        "card": json.dumps(card),
        "weights": safetensors.torch.save(plain_weights(fitted.model)),
    }
    told = {
        "classes": str(len(data.classes)),
        "clips": str(data.train.groups.clips),
        "validation_map": repr(fitted.best["validation_map"]),
    }
    return pa.Table.from_pylist([row], schema=RULE_NETWORKS_ARROW).replace_schema_metadata(told)
