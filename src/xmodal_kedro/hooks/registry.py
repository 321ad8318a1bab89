"""MLflow's registry holds the best network on each benchmark, under the benchmark's name as alias."""

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
"""How stores say that a model, or its alias, is not there."""
PROBED = re.compile(r"(\w+)\.linear_probe\.pretrained\.(?!.*_std$)(\w+)")


def register_if_best(card: Mapping[str, Any], metrics: Mapping[str, float]) -> None:
    """Register the network of a card if no registered one has a better linear probe on its benchmark.

    The version's description is the model card for readers; its tags name the network, the measure and its value. A
    network whose weights no run of this store has logged cannot be registered, and is not.

    Args:
        card: of the network that was judged.
        metrics: as `benchmarks.compare.summarise` gives them.
    """
    try:
        _register_if_best(card, metrics)
    except MlflowException as error:  # what was made is stored, and a store without a registry is no reason to fail
        logger.warning("the network was not registered: %s", error.message)


def _register_if_best(card: Mapping[str, Any], metrics: Mapping[str, float]) -> None:
    from xmodal_kedro.reports.model_card import describe_model  # torch takes seconds, which a command line need not

    probed = {found[1]: (found[2], value) for name, value in metrics.items() if (found := PROBED.fullmatch(name))}
    address = _address(card["weights_digest"]) if probed else None
    for benchmark, (measure, value) in probed.items() if address else ():
        client = MlflowClient()
        best = _best(client, benchmark, measure)
        if best is not None and best >= value:
            continue
        tags = {"network": card["model"], "weights_digest": card["weights_digest"], f"{benchmark}.{measure}": value}
        version = mlflow.register_model(address, REGISTERED, tags={name: str(told) for name, told in tags.items()})
        client.update_model_version(REGISTERED, version.version, describe_model(card))
        client.set_registered_model_alias(REGISTERED, benchmark, version.version)
        logger.info("best on %s so far, %s %.3f: models:/%s@%s", benchmark, measure, value, REGISTERED, benchmark)


def _best(client: MlflowClient, benchmark: str, measure: str) -> float | None:
    """Value of the network that has the alias; None where none has."""
    try:
        version = client.get_model_version_by_alias(REGISTERED, benchmark)
    except MlflowException as error:
        if error.error_code not in NO_SUCH_ALIAS:
            raise
        return None
    return float(version.tags[f"{benchmark}.{measure}"])


def _address(digest: str) -> str | None:
    """Of the logged model with these weights, the latest; None where no run has logged them."""
    experiments = [experiment.experiment_id for experiment in mlflow.search_experiments()]
    found = mlflow.search_runs(
        experiments, filter_string=f"tags.`{DIGEST_TAG}` = '{digest}'", max_results=1, output_format="list"
    )
    return str(found[0].data.tags[URI_TAG]) if found else None
