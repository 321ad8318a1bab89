"""Registers the best network on each benchmark in MLflow, with the benchmark's key as alias, and own classifiers."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from xmodal_kedro.hooks.model import DIGEST_TAG, URI_TAG

logger = logging.getLogger(__name__)

REGISTERED = "xmodal"
"""Name of the registered model; `models:/xmodal@esc50` is the best network on the whole of ESC-50."""
NO_SUCH_ALIAS = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
"""Error codes of stores for a missing model or alias."""
CLASSIFIER_DIGEST = "classifier.digest"
"""Tag of a version of a classifier."""


@dataclass(frozen=True)
class Judged:
    """A result of a linear probe.

    Attributes:
        benchmark: its key: equal keys mean the same clips in the same folds. It is the alias of the best network.
        measure: the measure that the benchmark is published with.
        value: of it.
    """

    benchmark: str
    measure: str
    value: float


def register_classifier(card: Mapping[str, Any], uri: str) -> None:
    """Register a classifier of one's own under its name, unless its latest version there is the same.

    Args:
        card: of the classifier.
        uri: of the logged model.
    """
    from xmodal_kedro.reports.model_card import describe_classifier

    name, digest = card["classifier"], _digest(card)
    try:
        client = MlflowClient()
        found = client.search_model_versions(f"name = '{name}'", order_by=["version_number DESC"], max_results=1)
        if found and found[0].tags.get(CLASSIFIER_DIGEST) == digest:
            return
        version = mlflow.register_model(uri, name, tags={CLASSIFIER_DIGEST: digest})
        client.update_model_version(name, version.version, describe_classifier(card))
        logger.info("registered: models:/%s/%s", name, version.version)
    except MlflowException as error:  # as below
        logger.warning("the classifier was not registered: %s", error.message)


def _digest(card: Mapping[str, Any]) -> str:
    """Of what a classifier says of a sound: its weights, and what its card makes of their scores."""
    said = {name: card.get(name) for name in ("classes", "exclusive", "temperature", "thresholds", "precision")}
    hashed = hashlib.blake2b(json.dumps(said, sort_keys=True).encode(), digest_size=16).hexdigest()
    return f"{card['weights_digest']} {card.get('head_digest', '')} {hashed}"


def register_if_best(card: Mapping[str, Any], judged: Judged) -> None:
    """Register the network of a card if its linear probe beats the registered network on the same benchmark.

    The version's description is the model card for readers; its tags hold the network, the metric and its value. A
    network is skipped if no run of this store has logged its weights.

    Args:
        card: card of the evaluated network.
        judged: its result.
    """
    try:
        _register_if_best(card, judged)
    except MlflowException as error:  # results are stored already; a store without a registry must not fail the run
        logger.warning("the network was not registered: %s", error.message)


def _register_if_best(card: Mapping[str, Any], judged: Judged) -> None:
    from xmodal_kedro.reports.model_card import describe_model  # imports torch, which takes seconds

    address, client = _address(card["weights_digest"]), MlflowClient()
    if not address:
        return
    key, measure, value = judged.benchmark, judged.measure, judged.value
    best = _best(client, key, measure)
    if best is not None and best >= value:
        return
    tags = {"network": card["model"], "weights_digest": card["weights_digest"], f"{key}.{measure}": value}
    version = mlflow.register_model(address, REGISTERED, tags={name: str(tag) for name, tag in tags.items()})
    client.update_model_version(REGISTERED, version.version, describe_model(card))
    client.set_registered_model_alias(REGISTERED, key, version.version)
    logger.info("best on %s so far, %s %.3f: models:/%s@%s", key, measure, value, REGISTERED, key)


def _best(client: MlflowClient, benchmark: str, measure: str) -> float | None:
    """Value of the network with the alias; None if there is none."""
    try:
        version = client.get_model_version_by_alias(REGISTERED, benchmark)
    except MlflowException as error:
        if error.error_code not in NO_SUCH_ALIAS:
            raise
        return None
    stored = version.tags.get(f"{benchmark}.{measure}")
    return None if stored is None else float(stored)


def _address(digest: str) -> str | None:
    """URI of the latest logged model with these weights; None if no run has logged them."""
    experiments = [experiment.experiment_id for experiment in mlflow.search_experiments()]
    runs = mlflow.search_runs(
        experiments, filter_string=f"tags.`{DIGEST_TAG}` = '{digest}'", max_results=1, output_format="list"
    )
    return str(runs[0].data.tags[URI_TAG]) if runs else None
