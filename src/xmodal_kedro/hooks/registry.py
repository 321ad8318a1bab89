"""Registers the best network on each benchmark in MLflow, with the benchmark's name as alias."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from xmodal_kedro.hooks.model import DIGEST_TAG, URI_TAG

logger = logging.getLogger(__name__)

REGISTERED = "xmodal"
"""Name of the registered model; `models:/xmodal@esc50` is the best network on ESC-50."""
NO_SUCH_ALIAS = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
"""Error codes of stores for a missing model or alias."""
PROBED = re.compile(r"(\w+)\.linear_probe\.pretrained\.(?!.*_std$)(\w+)")


def register_if_best(card: Mapping[str, Any], metrics: Mapping[str, float]) -> None:
    """Register the network of a card if its linear probe beats the registered network on the same benchmark.

    The version's description is the model card for readers; its tags hold the network, the metric and its value. A
    network is skipped if no run of this store has logged its weights.

    Args:
        card: card of the evaluated network.
        metrics: the dataset `transfer_metrics`.
    """
    try:
        _register_if_best(card, metrics)
    except MlflowException as error:  # results are stored already; a store without a registry must not fail the run
        logger.warning("the network was not registered: %s", error.message)


def _register_if_best(card: Mapping[str, Any], metrics: Mapping[str, float]) -> None:
    from xmodal_kedro.reports.model_card import describe_model  # imports torch, which takes seconds

    probed = {match[1]: (match[2], value) for name, value in metrics.items() if (match := PROBED.fullmatch(name))}
    address = _address(card["weights_digest"]) if probed else None
    for benchmark, (measure, value) in probed.items() if address else ():
        client = MlflowClient()
        best = _best(client, benchmark, measure)
        if best is not None and best >= value:
            continue
        tags = {"network": card["model"], "weights_digest": card["weights_digest"], f"{benchmark}.{measure}": value}
        version = mlflow.register_model(address, REGISTERED, tags={name: str(tag) for name, tag in tags.items()})
        client.update_model_version(REGISTERED, version.version, describe_model(card))
        client.set_registered_model_alias(REGISTERED, benchmark, version.version)
        logger.info("best on %s so far, %s %.3f: models:/%s@%s", benchmark, measure, value, REGISTERED, benchmark)


def _best(client: MlflowClient, benchmark: str, measure: str) -> float | None:
    """Value of the network with the alias; None if there is none."""
    try:
        version = client.get_model_version_by_alias(REGISTERED, benchmark)
    except MlflowException as error:
        if error.error_code not in NO_SUCH_ALIAS:
            raise
        return None
    return float(version.tags[f"{benchmark}.{measure}"])


def _address(digest: str) -> str | None:
    """URI of the latest logged model with these weights; None if no run has logged them."""
    experiments = [experiment.experiment_id for experiment in mlflow.search_experiments()]
    runs = mlflow.search_runs(
        experiments, filter_string=f"tags.`{DIGEST_TAG}` = '{digest}'", max_results=1, output_format="list"
    )
    return str(runs[0].data.tags[URI_TAG]) if runs else None
