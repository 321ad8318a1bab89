"""The note of an MLflow run that has not finished, by which the same work started again goes on in the same run."""

from __future__ import annotations

import hashlib
import json
import logging
import posixpath
from collections.abc import Mapping
from typing import Any

import fsspec
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from mlflow.entities import LifecycleStage, RunStatus
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from pydantic import BaseModel

from xmodal_kedro.datasets.atomic import read_json, write_json
from xmodal_kedro.datasets.content import place_of
from xmodal_kedro.hooks.catalog import is_parameter
from xmodal_kedro.hooks.provenance import TRAINING_DATA, fingerprint_data
from xmodal_kedro.recipes import recipe_of

logger = logging.getLogger(__name__)

NOTE_NAME = "unfinished_run.json"
WEIGHTS = "model_weights"


class UnfinishedRun:
    """A file beside the model that a run makes, there as long as that run has not finished.

    Args:
        weights: path or URL of the model's weights.
        work: 32 hex digits that stand for what is done, see `describe_work`.
        machine: begins the file's name where several machines do the same work, each in an MLflow run of its own.
    """

    def __init__(self, weights: str, work: str, machine: str = "") -> None:
        self._fs, path = fsspec.url_to_fs(weights)
        self._path = posixpath.join(posixpath.dirname(path), f"{machine}{NOTE_NAME}")
        self._work = work

    def find(self) -> str | None:
        """The id of the MLflow run in which this work was begun; None to start a new one, and the log says why."""
        note = self._read()
        if note is None:
            return None
        run_id = note["run_id"]
        if note["work"] != self._work:
            logger.info(
                "MLflow run %s did not finish, and was of other parameters, data or recipe: a new one starts", run_id
            )
            return None
        try:
            run = MlflowClient().get_run(run_id)
        except MlflowException as error:
            logger.info("MLflow run %s did not finish and cannot go on (%s): a new one starts", run_id, error.message)
            return None
        if run.info.status == RunStatus.to_string(RunStatus.FINISHED):
            logger.info("MLflow run %s has finished: a new one starts", run_id)
            return None
        if run.info.lifecycle_stage != LifecycleStage.ACTIVE:
            logger.info("MLflow run %s was deleted: a new one starts", run_id)
            return None
        logger.info("MLflow run %s did not finish: it goes on", run_id)
        return run_id

    def write(self, run_id: str) -> None:
        """Note the run that now does this work."""
        try:
            write_json(self._fs, self._path, {"run_id": run_id, "work": self._work})
        except OSError as error:
            logger.warning("if this run is stopped, another MLflow run will go on with it: %s", error)

    def forget(self, run_id: str) -> None:
        """The run has finished."""
        note = self._read()
        if note is not None and note["run_id"] == run_id:
            self._fs.rm_file(self._path)

    def _read(self) -> dict[str, str] | None:
        try:
            note = read_json(self._fs, self._path)
            return None if note is None else {key: str(note[key]) for key in ("run_id", "work")}
        except (ValueError, TypeError, KeyError, OSError) as error:
            logger.warning("%s is not the note of an MLflow run and counts for nothing: %r", self._path, error)
            return None


def describe_work(pipeline: Pipeline, catalog: DataCatalog, setting: Mapping[str, Any]) -> str:
    """32 hex digits: equal ones mean that a run would only go on with what the other began.

    They cover the nodes, their parameters, where everything is, the content of the training data as far as the run does
    not make it itself, and the code behind training.

    Args:
        setting: what else must be equal, JSON-able: the env, the tracking store.
    """
    stored = sorted(name for name in pipeline.datasets() if not is_parameter(name) and name in catalog)
    makers = [node for node in pipeline.nodes if WEIGHTS in node.outputs]
    work = {
        "setting": dict(setting),
        "nodes": sorted(node.name for node in pipeline.nodes),
        "parameters": {name: _plain(catalog[name].load()) for name in pipeline.inputs() if is_parameter(name)},
        "places": {name: place_of(catalog[name]) for name in stored},
        "data": {name: fingerprint_data(catalog[name].load()) for name in TRAINING_DATA if name in pipeline.inputs()},
        "recipe": _training_recipe() if makers else "",
    }
    text = json.dumps(work, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _training_recipe() -> str:
    from xmodal_kedro.training.loop import train  # brings torch, which only a run that trains has to load

    return json.dumps(recipe_of(train).describe())


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value
