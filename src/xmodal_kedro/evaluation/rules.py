"""Which labels to learn from: one network, trained on the labels of each rule of merging.

The question is that of "Cross-modal supervised learning for better acoustic representations" (arXiv 1911.07917):
whether visual and audio labels together teach a network more than either alone. All else is equal: clips, network,
parameters and seeds. `rule_trials` measures what the networks are worth.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import pandas as pd
import pyarrow as pa
import safetensors.torch

from xmodal_kedro.errors import UserError
from xmodal_kedro.params import CompareParams, MergeParams, TrainParams
from xmodal_kedro.recipes import recipe
from xmodal_kedro.schemas import RULE_NETWORKS_ARROW
from xmodal_kedro.storage import LoadShard, ShardJobs, Shards
from xmodal_kedro.training.fit import train_network
from xmodal_kedro.training.training_data import prepare_training_data


def merge_params(merge: MergeParams, compare: CompareParams) -> dict[str, MergeParams]:
    """Parameters that merge the labels of each rule: the project's own, except for the rule."""
    return {rule: merge.model_copy(update={"rule": rule}) for rule in compare.rules}


def jobs_by_rule(jobs: Mapping[str, ShardJobs]) -> ShardJobs:
    """The jobs of all rules, with the rule's name before each key."""
    return {f"{rule}-{key}": job for rule, of_rule in jobs.items() for key, job in of_rule.items()}


def of_rule(shards: Shards, rule: str) -> dict[str, LoadShard]:
    """The shards of one rule, by their keys without it."""
    start = f"{rule}-"
    return {key.removeprefix(start): shard for key, shard in shards.items() if key.startswith(start)}


def vocabulary_of(vocabularies: pd.DataFrame, rule: str) -> pd.DataFrame:
    """One of `schemas.RuleVocabularies`, as `schemas.LabelVocabulary`."""
    return vocabularies[vocabularies["rule"] == rule].drop(columns="rule").reset_index(drop=True)


@contextmanager
def naming_rule(rule: str) -> Iterator[None]:
    """Add the rule to the errors of the block.

    Raises:
        UserError: in place of any ValueError.
    """
    try:
        yield
    except ValueError as error:
        raise UserError(f"rule {rule}: {error}; or take it out of compare.rules") from error


class NoCheckpoints:
    """Keeps no checkpoint: a kill loses one training of many."""

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
    """A job for each rule and each seed: a run that was killed resumes with those it lacks."""
    return {
        f"{rule}-{seed}": partial(
            train_on_rule,
            rule,
            dict(clips),
            of_rule(labels, rule),
            vocabulary_of(vocabularies, rule),
            params_of_seed(train, seed),
        )
        for seed in range(compare.seeds)
        for rule in compare.rules
    }


def params_of_seed(train: TrainParams, seed: int) -> TrainParams:
    """Parameters of one training: the project's own, in this process alone.

    The teacher's embedding and the teacher in the loop are left out: they are the same whatever the rule, and would
    hide what the labels are worth. Without that teacher, clips keep their speed: their labels would not be true.
    """
    alone = {"devices": 1, "nodes": 1, "rendezvous": "", "embedding_weight": 0.0, "visual_embedding_weight": 0.0}
    alone |= {"views_weight": 0.0, "speed_octaves": 0.0}
    live = train.live_teacher.model_copy(update={"enabled": False})
    return train.model_copy(update={"seed": seed, "live_teacher": live, **alone})


@recipe("compare_train", version=1, libraries=("torch",))
def train_on_rule(
    rule: str,
    clips: Mapping[str, LoadShard],
    labels: Mapping[str, LoadShard],
    vocabulary: pd.DataFrame,
    params: TrainParams,
) -> pa.Table:
    """Train on the labels of a rule: one row of `schemas.RuleNetworks`.

    Its metadata has the number of `classes`, of `clips` that are trained on, and the best `validation_map`.
    """
    with naming_rule(rule):
        data = prepare_training_data(clips, labels, vocabulary, params)
    trained = train_network(data, params, NoCheckpoints())
    row = {
        "rule": rule,
        "seed": params.seed,
        "card": json.dumps(trained.card),
        "weights": safetensors.torch.save(trained.weights),
    }
    metadata = {
        "classes": str(len(data.classes)),
        "clips": str(data.train.groups.clips),
        "validation_map": repr(trained.card["best"]["validation_map"]),
    }
    return pa.Table.from_pylist([row], schema=RULE_NETWORKS_ARROW).replace_schema_metadata(metadata)
