"""What happens around a run: choice of the default pipeline, checks before the work, tracking in MLflow."""

from __future__ import annotations

import logging
import posixpath
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any

import click
import fsspec
import mlflow
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro.io import AbstractDataset, DataCatalog, DatasetError
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro_mlflow.framework.hooks import MlflowHook
from pydantic import BaseModel

from xmodal_kedro import events

logger = logging.getLogger(__name__)

SAMPLE_ENV = "sample"
ROOM_CHECKED_BYTES = 1 << 20


class DefaultPipelineHooks:
    """In the sample env the default pipeline also makes the world that it starts from, and checks the labels by it."""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        if context.env == SAMPLE_ENV:
            pipelines["__default__"] = pipelines["sample"] + pipelines["__default__"] + pipelines["label_check"]


class PreflightHooks:
    """Before the first node: are the inputs there, do they fit, can the outputs be written?

    Raises:
        click.ClickException: one error that lists all that is wrong, each with its remedy.
    """

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        problems = [*_missing_inputs(pipeline, catalog)]
        problems = problems or [*_unfit_inputs(pipeline, catalog)]
        problems += [*_unwritable_outputs(pipeline, catalog)]
        if problems:
            raise click.ClickException("cannot start:\n" + "\n".join(f"  - {problem}" for problem in problems))


def _missing_inputs(pipeline: Pipeline, catalog: DataCatalog) -> Iterator[str]:
    for name in sorted(name for name in pipeline.inputs() if not _is_parameter(name)):
        try:
            if not catalog.exists(name):
                yield f"{name}: nothing at {_location(catalog[name])}: {_remedy(name, catalog[name])}"
        except DatasetError as error:  # its cause says it without Kedro's words around it
            yield f"{name}: {error.__cause__ or error}"


def _remedy(name: str, dataset: AbstractDataset) -> str:
    stated: str | None = (getattr(dataset, "metadata", None) or {}).get("missing")
    if stated:
        return stated
    makers = [key for key, pipeline in pipelines.items() if key != "__default__" and name in pipeline.all_outputs()]
    made_by = " or ".join(f"kedro run --pipelines={maker}" for maker in makers)
    return f"make it first with {made_by}, with the same --env and --params"


def _unfit_inputs(pipeline: Pipeline, catalog: DataCatalog) -> Iterator[str]:
    """Inputs and parameters that do not fit each other or this machine."""
    checks: dict[str, Callable[[], None]] = {
        "visual_teacher_files": partial(_check_teacher, catalog, "visual"),
        "audio_teacher_files": partial(_check_teacher, catalog, "audio"),
        "benchmark_files": partial(_check_benchmark, catalog),
        "params:train": partial(_check_train, catalog),
        "params:transfer_eval": partial(_check_device, catalog, "transfer_eval"),
    }
    for name in sorted(checks.keys() & pipeline.inputs()):
        try:
            checks[name]()
        except (ValueError, OSError) as error:
            yield f"{name.removeprefix('params:')}: {error}"


def _check_teacher(catalog: DataCatalog, modality: str) -> None:
    from xmodal_kedro.labelling.ontology import read_ontology
    from xmodal_kedro.labelling.sounds import visual_classes
    from xmodal_kedro.labelling.teacher import check_teacher

    card, label = catalog.load(f"params:{modality}_teacher"), catalog.load(f"params:{modality}_label")
    files = f"{modality}_teacher_files"
    try:
        folder = catalog.load(files)
        check_teacher(card, folder, label.device, label.inference_threads)
        if modality == "visual":
            visual_classes(card, folder)
        elif card.ontology:
            read_ontology(folder.file(card.ontology))
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error}; or {_remedy(files, catalog[files])}") from error


def _check_benchmark(catalog: DataCatalog) -> None:
    from xmodal_kedro.benchmarks.esc50 import check_benchmark

    check_benchmark(catalog.load("benchmark_files"), catalog.load("params:transfer_eval").benchmark)


def _check_train(catalog: DataCatalog) -> None:
    model, place = catalog.load("params:train").model, _location(catalog["model_weights"])
    if model not in place.split("/"):
        raise ValueError(
            f"train.model is {model}, but its weights would go to {place}: choose the model by `model` in globals.yml "
            "or by --params train.model=NAME, which both follow"
        )
    _check_device(catalog, "train")


def _check_device(catalog: DataCatalog, name: str) -> None:
    device = catalog.load(f"params:{name}").device
    if device != "auto":
        from xmodal_kedro.models.device import choose_device

        choose_device(device, f"{name}.device")


def _unwritable_outputs(pipeline: Pipeline, catalog: DataCatalog) -> Iterator[str]:
    roots = {_existing_folder(_location(catalog[name])) for name in pipeline.all_outputs() if name in catalog}
    for fs, root in sorted(roots, key=lambda found: found[1]):
        trial = posixpath.join(root, f".trial-{uuid.uuid4().hex}")
        try:
            fs.pipe_file(trial, bytes(ROOM_CHECKED_BYTES))
            fs.rm_file(trial)
        except OSError as error:
            yield (
                f"cannot write in {root} ({error.strerror or error}): make room or give write access there, or set "
                "another --params data_root=FOLDER"
            )


def _existing_folder(location: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """Where a trial shows whether `location` can be written: its folder, or the nearest above it that is there."""
    fs, path = fsspec.url_to_fs(location)
    if fs.isfile(path):
        path = fs._parent(path)
    while path and not fs.exists(path):
        path = fs._parent(path)
    return fs, path


def _location(dataset: AbstractDataset) -> str:
    described = dataset._describe()
    return str(described.get("path") or described.get("filepath"))


def _is_parameter(name: str) -> bool:
    return name == "parameters" or name.startswith("params:")


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
            logger.info("report: %s", _location(self._catalog[dataset_name]))
        if not mlflow.active_run():
            return
        if dataset_name in self.ARTIFACTS:
            _log_artifact(_location(self._catalog[dataset_name]))
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


def _log_artifact(location: str) -> None:
    """Copy a file from any storage to the tracking server's."""
    fs, path = fsspec.url_to_fs(location)
    with tempfile.TemporaryDirectory() as folder:
        copy = posixpath.join(folder, posixpath.basename(path))
        fs.get_file(path, copy)
        mlflow.log_artifact(copy)


def _log_metrics(metrics: Mapping[str, float], step: int) -> None:
    mlflow.log_metrics(dict(metrics), step=step)
