"""Logs a trained network as an MLflow model of the run that trained it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
from mlflow.types.schema import Array, Map

from xmodal_kedro.hooks.catalog import local_copy, local_file

CODE = Path(__file__).parents[1] / "inference" / "mlflow_model.py"
REQUIREMENTS = ("mlflow", "numpy", "pandas", "pydantic", "safetensors", "scipy", "torch", "torchvision")
"""Packages that the model's code imports. This package is missing, as it is on no index: install it first."""
DIGEST_TAG = "model.weights_digest"
URI_TAG = "model.uri"
CLASSIFIER_TAG = "classifier.uri"
EXAMPLE_SAMPLES = 160
"""Of the input that MLflow keeps as an example."""


def log_classifier(card: Mapping[str, Any], places: Mapping[str, str]) -> str | None:
    """Log a classifier of one's own. Does nothing without a run.

    Args:
        card: of the classifier.
        places: paths or URLs of its files by artifact, `card` among them, and of its teacher's folder, if it has one.

    Returns:
        The model's URI.
    """
    if mlflow.active_run() is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        logged = mlflow.pyfunc.log_model(
            name=card["classifier"],
            python_model=str(CODE),
            artifacts={name: local_copy(place, folder) for name, place in places.items()},
            signature=_signature(card),
            input_example=_example(),
            pip_requirements=[*_requirements(), f"onnxruntime=={version('onnxruntime')}"],
            metadata={"weights_digest": card["weights_digest"], "head_digest": card.get("head_digest", "")},
        )
    mlflow.set_tags({CLASSIFIER_TAG: logged.model_uri})
    return str(logged.model_uri)


def _requirements() -> list[str]:
    return [f"{name}=={version(name).partition('+')[0]}" for name in REQUIREMENTS]


def _example() -> pd.DataFrame:
    return pd.DataFrame({"audio": [[0.0] * EXAMPLE_SAMPLES]})


def log_model(card: Mapping[str, Any], weights: str, card_file: str) -> None:
    """Log the model, and tag the run with its URI. Does nothing in a resumed run that has logged it already.

    Args:
        card: card of the network.
        weights: path or URL of the safetensors file.
        card_file: path or URL of the card.
    """
    run = mlflow.active_run()
    if run is None or mlflow.get_run(run.info.run_id).data.tags.get(DIGEST_TAG) == card["weights_digest"]:
        return
    with tempfile.TemporaryDirectory() as folder:
        logged = mlflow.pyfunc.log_model(
            name=card["model"],
            python_model=str(CODE),
            artifacts={"weights": local_file(weights, folder), "card": local_file(card_file, folder)},
            signature=_signature(card),
            input_example=_example(),
            pip_requirements=_requirements(),
            metadata={"weights_digest": card["weights_digest"]},
        )
    mlflow.set_tags({URI_TAG: logged.model_uri, DIGEST_TAG: card["weights_digest"]})


def _signature(card: Mapping[str, Any]) -> ModelSignature:
    """Without inputs: MLflow's schemas allow arrays or tables but not both, and no waveforms of different lengths."""
    number = DataType.double
    return ModelSignature(
        outputs=Schema([ColSpec(Array(number), "embedding"), ColSpec(Map(number), "scores")]),
        params=ParamSchema([ParamSpec("sample_rate_hz", DataType.integer, card["front_end"]["sample_rate_hz"])]),
    )
