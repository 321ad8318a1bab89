"""Tracking: one Kedro run is one MLflow run."""

from __future__ import annotations

import logging
import posixpath
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import fsspec
import mlflow
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro_mlflow.framework.hooks import MlflowHook
from pydantic import BaseModel

from xmodal_kedro import events
from xmodal_kedro.hooks.catalog import location

logger = logging.getLogger(__name__)


class TrackingHooks(MlflowHook):
    """kedro-mlflow's hook, with typed parameters logged field by field, live curves, and what a run made."""

    ARTIFACTS = (
        "label_vocabulary",
        "label_report",
        "label_quality",
        "label_check_report",
        "model_weights",
        "model_card",
        "training_history",
        "transfer_results",
        "transfer_report",
    )
    METRICS = ("label_metrics", "label_check_metrics", "transfer_metrics")
    REPORTS = ("label_report", "label_check_report", "transfer_report")

    def __init__(self) -> None:
        super().__init__()
        self._run = ExitStack()

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        super().after_context_created(context)
        mlflow.enable_system_metrics_logging()

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        super().before_pipeline_run(run_params, pipeline, catalog)
        self._catalog = catalog
        if mlflow.active_run():
            self._run.enter_context(events.listening(_log_metrics))
            if "params:train" in pipeline.inputs():
                mlflow.set_tag("mlflow.runName", catalog.load("params:train").model)

    @hook_impl
    def before_node_run(self, node: Node, catalog: DataCatalog, inputs: dict[str, Any], is_async: bool) -> None:
        plain = {name: value.model_dump() if isinstance(value, BaseModel) else value for name, value in inputs.items()}
        super().before_node_run(node, catalog, plain, is_async)

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, data: Any) -> None:
        if dataset_name in self.REPORTS:
            logger.info("report: %s", location(self._catalog[dataset_name]))
        if not mlflow.active_run():
            return
        if dataset_name in self.ARTIFACTS:
            _log_artifact(location(self._catalog[dataset_name]))
        if dataset_name in self.METRICS:
            mlflow.log_metrics(data)

    @hook_impl
    def after_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        self._run.close()
        super().after_pipeline_run(run_params, pipeline, catalog)

    @hook_impl
    def on_pipeline_error(
        self, error: Exception, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        self._run.close()
        super().on_pipeline_error(error, run_params, pipeline, catalog)


def _log_artifact(place: str) -> None:
    """Copy a file from any storage to the tracking server's."""
    fs, path = fsspec.url_to_fs(place)
    with tempfile.TemporaryDirectory() as folder:
        copy = posixpath.join(folder, posixpath.basename(path))
        fs.get_file(path, copy)
        mlflow.log_artifact(copy)


def _log_metrics(metrics: Mapping[str, float], step: int) -> None:
    mlflow.log_metrics(dict(metrics), step=step)
