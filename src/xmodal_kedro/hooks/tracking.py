"""Tracking: one Kedro run is one MLflow run, even if it is interrupted and resumed."""

from __future__ import annotations

import atexit
import logging
import platform
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import fsspec
import mlflow
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol, DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro_mlflow.framework.hooks import MlflowHook
from mlflow.entities import RunStatus
from pydantic import BaseModel

from xmodal_kedro.datasets.content import place_of
from xmodal_kedro.hooks.catalog import is_parameter, local_file
from xmodal_kedro.hooks.command import typed_command
from xmodal_kedro.hooks.curves import live_curves
from xmodal_kedro.hooks.default_pipeline import default_env
from xmodal_kedro.hooks.model import log_classifier, log_model
from xmodal_kedro.hooks.provenance import RUN_PROVENANCE, TRAINING_DATA, data_tags, dvc_tags, git_tags, teacher_tags
from xmodal_kedro.hooks.registry import Judged, register_classifier, register_if_best
from xmodal_kedro.hooks.store import Store
from xmodal_kedro.hooks.system_metrics import system_metrics
from xmodal_kedro.hooks.unfinished import WEIGHTS, UnfinishedRun, describe_work
from xmodal_kedro.masking import masked_all
from xmodal_kedro.up_to_date import Notes, UpToDateRunner

logger = logging.getLogger(__name__)
LEFT_OUT = "nodes.left_out"
"""Tag of a run: how many of its nodes were up to date, so that what they would record is in an earlier run."""
logging.getLogger("kedro_mlflow").setLevel(logging.WARNING)  # it logs at INFO while it is loaded

CARD = "model_card"
JUDGED = "transfer_metrics"
BENCHMARK = "benchmark_files"
CLASSIFIER = "classifier_card"
TEACHER = "teacher"
"""Representation of a classifier that has no network of its own."""


class Tracking(MlflowHook):
    """kedro-mlflow's hook, which also logs typed parameters field by field, live curves, the load of the machine, the
    provenance of models, and artifacts.

    If a run that trains a model was killed, failed or lost its store, the same work started again resumes its MLflow
    run.
    """

    ARTIFACTS = (
        "label_vocabulary",
        "label_report",
        "label_quality",
        "label_check_report",
        "class_precision",
        "precision_thresholds",
        "review_results_page",
        CARD,
        "training_history",
        "transfer_results",
        "transfer_report",
        "compare_results",
        "compare_report",
        "summary_report",
        "embed_report",
        CLASSIFIER,
        "adapt_classes",
        "adapt_report",
    )
    METRICS = (
        *("label_metrics", "label_check_metrics", "review_metrics"),
        *("transfer_metrics", "compare_metrics", "adapt_metrics"),
    )
    REPORTS = (
        *("label_report", "label_check_report", "review_page", "review_results_page"),
        *("transfer_report", "compare_report", "summary_report", "adapt_report", "embed_report"),
    )

    def __init__(self) -> None:
        super().__init__()
        self._run = ExitStack()
        self._own_run_id: str | None = None
        self._unfinished: UnfinishedRun | None = None
        self._saved: dict[str, Any] = {}

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        self._end_interrupted()  # in a notebook, the process outlives a run
        self._store = Store(context)
        with self._store.opening():
            super().after_context_created(context)
        self._project = Path(context.project_path)
        self._default_env = default_env(context)
        mlflow.disable_system_metrics_logging()  # in favour of `system_metrics`

    @hook_impl
    def after_catalog_created(
        self,
        catalog: CatalogProtocol,
        conf_catalog: dict[str, Any],
        conf_creds: dict[str, Any],
        parameters: dict[str, Any],
        save_version: str,
        load_versions: dict[str, str],
    ) -> None:
        # kedro-mlflow makes every dataset here to name its own, and some load torch, which most runs do not need.
        entries = (entry for entry in conf_catalog.values() if isinstance(entry, dict))
        if any(str(entry.get("type", "")).startswith("kedro_mlflow.") for entry in entries):
            super().after_catalog_created(catalog, conf_catalog, conf_creds, parameters, save_version, load_versions)

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        self._catalog = catalog
        self._saved = {}
        self._unfinished = self._find_unfinished(run_params, pipeline, catalog)
        with self._store.opening():
            super().before_pipeline_run(masked_all(run_params), pipeline, catalog)
            if run := mlflow.active_run():
                self._begin(run, pipeline, catalog)

    def _begin(self, run: mlflow.ActiveRun, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Record and tag a run that has begun, and start the logging of curves and load."""
        if self._unfinished:
            self._unfinished.write(run.info.run_id)
        if not self._already_active_mlflow:
            self._own_run_id = run.info.run_id
            atexit.register(self._end_interrupted)
        self._run.enter_context(system_metrics(run.info.run_id))
        self._run.enter_context(live_curves(run.info.run_id))
        commit = git_tags(self._project)
        mlflow.set_tags(commit)
        if command := typed_command():
            mlflow.set_tag("kedro_command", command)
        if RUN_PROVENANCE in pipeline.inputs():
            catalog[RUN_PROVENANCE].save(_provenance_of(run, commit))
        if "params:train" in pipeline.inputs():
            mlflow.set_tag("mlflow.runName", catalog.load("params:train").model)

    def _find_unfinished(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> UnfinishedRun | None:
        """The note of this work. An MLflow run to resume is set in the configuration, unless the user chose one."""
        chosen = self.mlflow_config.tracking.run.id
        if chosen or WEIGHTS not in pipeline.all_outputs() or WEIGHTS not in catalog:
            return None
        setting = {
            "env": run_params["env"] or self._default_env,
            "store": self.mlflow_config.server.mlflow_tracking_uri,
            "experiment": self.mlflow_config.tracking.experiment.name,
        }
        shared = "params:train" in pipeline.inputs() and catalog.load("params:train").nodes > 1
        machine = f"{platform.node()}-" if shared else ""
        unfinished = UnfinishedRun(place_of(catalog[WEIGHTS]), describe_work(pipeline, catalog, setting), machine)
        self.mlflow_config.tracking.run.id = unfinished.find()
        return unfinished

    @hook_impl
    def before_node_run(self, node: Node, catalog: DataCatalog, inputs: dict[str, Any], is_async: bool) -> None:
        plain = {name: value.model_dump() if isinstance(value, BaseModel) else value for name, value in inputs.items()}
        plain |= {name: masked_all(value) for name, value in plain.items() if is_parameter(name)}
        with self._store.may_be_lost():
            super().before_node_run(node, catalog, plain, is_async)
            if mlflow.active_run() and WEIGHTS in node.outputs:
                places = {name: place_of(catalog[name]) for name in TRAINING_DATA if name in node.inputs}
                mlflow.set_tags(data_tags(inputs) | dvc_tags(self._project, places) | teacher_tags(catalog))

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, data: Any) -> None:
        if dataset_name in self.REPORTS:
            logger.info("report: %s", place_of(self._catalog[dataset_name]))
        if mlflow.active_run():
            with self._store.may_be_lost():
                self._log(dataset_name, data)

    def _log(self, dataset_name: str, data: Any) -> None:
        if dataset_name in self.ARTIFACTS:
            _log_artifact(place_of(self._catalog[dataset_name]))
        if dataset_name in self.METRICS:
            mlflow.log_metrics(data)
        if dataset_name in (WEIGHTS, CARD):
            self._log_model(dataset_name, data)
        if dataset_name == JUDGED and (judged := self._judged(data)):
            register_if_best(self._catalog.load(CARD), judged)
        if dataset_name == CLASSIFIER:
            self._log_classifier(data)

    def _judged(self, metrics: Mapping[str, float]) -> Judged | None:
        """The result of the linear probe by the benchmark's own measure; None if there was no probe."""
        from xmodal_kedro.evaluation.benchmarks.catalogue import CATALOGUE, benchmark_key, read_benchmark

        name = self._catalog.load("params:transfer_eval").benchmark
        measure = CATALOGUE[name].measure
        value = metrics.get(f"{name}.linear_probe.pretrained.{measure}")
        if value is None:
            return None
        return Judged(benchmark_key(name, read_benchmark(self._catalog.load(BENCHMARK), name)), measure, value)

    def _log_classifier(self, card: Mapping[str, Any]) -> None:
        """Log a classifier of one's own, whose card is saved last, and register it."""
        parts = ("head", "teacher", "card") if card["representation"] == TEACHER else ("weights", "head", "card")
        places = {part: place_of(self._catalog[f"classifier_{part}"]) for part in parts}
        found = {part: place for part, place in places.items() if fsspec.url_to_fs(place)[0].exists(place)}
        if uri := log_classifier(card, found):
            register_classifier(card, uri)

    def _log_model(self, dataset_name: str, data: Any) -> None:
        """Log the model once both its parts are in storage."""
        self._saved[dataset_name] = data if dataset_name == CARD else None
        if self._saved.keys() == {WEIGHTS, CARD}:
            log_model(self._saved[CARD], *(place_of(self._catalog[name]) for name in (WEIGHTS, CARD)))

    @hook_impl
    def after_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        with self._store.may_be_lost():
            if UpToDateRunner.left_out and mlflow.active_run():
                mlflow.set_tag(LEFT_OUT, UpToDateRunner.left_out)
            self._run.close()
            if self._own_run_id and not self._store.complete:
                mlflow.end_run(RunStatus.to_string(RunStatus.FAILED))
            super().after_pipeline_run(run_params, pipeline, catalog)
        self._leave_incomplete(pipeline, catalog)
        self._store.tell_gaps()
        if self._unfinished and self._own_run_id and self._store.complete:
            self._unfinished.forget(self._own_run_id)
        self._own_run_id = None

    @hook_impl
    def on_pipeline_error(
        self, error: Exception, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        with self._store.may_be_lost():
            self._run.close()
            super().on_pipeline_error(error, run_params, pipeline, catalog)
        self._leave_incomplete(pipeline, catalog)
        self._own_run_id = None

    def _leave_incomplete(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Have the same command run all nodes again if the record has gaps: it is completed as they are run."""
        if not self._store.complete:
            Notes(pipeline, catalog, UpToDateRunner.root).forget()

    def _end_interrupted(self) -> None:
        """Set the status of an interrupted run to killed; MLflow itself would set it to finished."""
        run = mlflow.active_run()
        if run and run.info.run_id == self._own_run_id:
            with self._store.may_be_lost():
                self._run.close()
                mlflow.end_run(RunStatus.to_string(RunStatus.KILLED))
        self._run.close()
        self._own_run_id = None


def _provenance_of(run: mlflow.ActiveRun, commit: Mapping[str, str]) -> dict[str, str]:
    """The facts that lead a reader of a report to the run and the code that wrote it."""
    experiment = mlflow.get_experiment(run.info.experiment_id).name
    facts = {"MLflow run of this report": f"{run.info.run_id}, experiment {experiment}"}
    if "git.commit" in commit:
        facts["Commit of the code"] = commit["git.commit"]
    return facts


def _log_artifact(place: str) -> None:
    """Copy a file from any storage to the tracking server."""
    with tempfile.TemporaryDirectory() as folder:
        mlflow.log_artifact(local_file(place, folder))
