"""Checks before the first node."""

from __future__ import annotations

import posixpath
import uuid
from collections.abc import Callable, Iterator, Mapping
from functools import partial

import click
import fsspec
from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro.io import AbstractDataset, DataCatalog, DatasetError
from kedro.pipeline import Pipeline

from xmodal_kedro.datasets.content import place_of
from xmodal_kedro.errors import UserError
from xmodal_kedro.hooks.catalog import is_parameter
from xmodal_kedro.params import TrainParams

TEST_FILE_BYTES = 1 << 20


class PreflightHooks:
    """Checks before the first node that inputs exist and fit, and that outputs can be written.

    Raises:
        click.ClickException: one error that lists all problems, each with its remedy.
    """

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        problems = [*_missing_inputs(pipeline, catalog)]
        problems = problems or [*_unfit_inputs(pipeline, catalog)]
        problems += [*_unwritable_outputs(pipeline, catalog)]
        problems = problems or [*_outputs_of_newer_versions(pipeline, catalog)]
        if problems:
            raise click.ClickException("cannot start:\n" + "\n".join(f"  - {problem}" for problem in problems))


def _missing_inputs(pipeline: Pipeline, catalog: DataCatalog) -> Iterator[str]:
    for name in sorted(name for name in pipeline.inputs() if not is_parameter(name)):
        try:
            if not catalog.exists(name) and not getattr(catalog[name], "optional", False):
                yield f"{name}: nothing at {place_of(catalog[name])}: {_remedy(name, catalog[name])}"
        except DatasetError as error:  # the cause has the message without Kedro's text around it
            yield f"{name}: {error.__cause__ or error}"


def _remedy(name: str, dataset: AbstractDataset) -> str:
    remedy: str | None = (getattr(dataset, "metadata", None) or {}).get("missing")
    if remedy:
        return remedy
    makers = [key for key, pipeline in pipelines.items() if key != "__default__" and name in pipeline.all_outputs()]
    made_by = " or ".join(f"kedro run --pipelines={maker}" for maker in makers)
    return f"make it first with {made_by}, with the same --env and --params"


def _unfit_inputs(pipeline: Pipeline, catalog: DataCatalog) -> Iterator[str]:
    """Problems of inputs and parameters that do not fit each other or this machine."""
    inputs = pipeline.inputs()
    labels = {modality: f"params:{modality}_label" in inputs for modality in ("visual", "audio")}
    checks: dict[str, Callable[[], None]] = {
        "visual_teacher_files": partial(_check_teacher if labels["visual"] else _no_check, catalog, "visual"),
        "audio_teacher_files": partial(
            _check_audio_teacher, catalog, labels["audio"], "params:transfer_eval" in inputs
        ),
        "live_teacher_files": partial(_check_live_teacher, pipeline, catalog),
        "benchmark_files": partial(_check_benchmark, catalog),
        "params:train": partial(_check_train, catalog, labels),
        "params:transfer_eval": partial(_check_device, catalog, "transfer_eval"),
    }
    for name in sorted(checks.keys() & inputs):
        try:
            checks[name]()
        except (ValueError, OSError) as error:
            yield f"{name.removeprefix('params:')}: {error}"


def _check_teacher(catalog: DataCatalog, modality: str) -> None:
    from xmodal_kedro.labels.ontology import read_ontology
    from xmodal_kedro.labels.sounds import visual_classes
    from xmodal_kedro.teachers.embeddings import require_embedding
    from xmodal_kedro.teachers.opening import check_teacher

    card, label = catalog.load(f"params:{modality}_teacher"), catalog.load(f"params:{modality}_label")
    files = f"{modality}_teacher_files"
    try:
        folder = catalog.load(files)
        check_teacher(card, folder, label.device, label.inference_threads)
        require_embedding(card, label)
        if modality == "visual":
            visual_classes(card, folder)
        elif card.ontology:
            read_ontology(folder.file(card.ontology))
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error}; or {_remedy(files, catalog[files])}") from error


def _no_check(*_: object) -> None:
    """Check nothing: the visual teacher's folder is used for its class list alone."""


def _check_audio_teacher(catalog: DataCatalog, labels: bool, judges: bool) -> None:
    """Check the audio teacher. If it does not label, only its embedding is used for comparison, if it has one."""
    if labels:
        _check_teacher(catalog, "audio")
    elif judges and (card := catalog.load("params:audio_teacher")).output.embedding:
        from xmodal_kedro.teachers.opening import check_teacher

        check_teacher(card, catalog.load("audio_teacher_files"), catalog.load("params:transfer_eval").device)


def _check_live_teacher(pipeline: Pipeline, catalog: DataCatalog) -> None:
    """Check the teacher of `train.live_teacher`, unless this run makes it."""
    from xmodal_kedro.teachers.live import live_teacher

    train, files = catalog.load("params:train"), "live_teacher_files"
    if not train.live_teacher.enabled or "audio_teacher_files" in pipeline.all_outputs():
        return
    try:
        live_teacher(catalog.load("params:audio_teacher"), catalog.load(files), train)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error}; or {_remedy(files, catalog[files])}") from error


def _check_benchmark(catalog: DataCatalog) -> None:
    from xmodal_kedro.evaluation.benchmarks.catalogue import read_benchmark
    from xmodal_kedro.evaluation.few_clips import require_enough_clips

    params, place = catalog.load("params:transfer_eval"), place_of(catalog["benchmark_embeddings"])
    benchmark = params.benchmark
    if benchmark not in place.split("/"):
        raise UserError(
            f"transfer_eval.benchmark is {benchmark}, but its results would go to {place}: choose the benchmark "
            "by `benchmark` in globals.yml or by --params transfer_eval.benchmark=NAME, which both follow"
        )
    require_enough_clips(read_benchmark(catalog.load("benchmark_files"), benchmark), params)


def _check_train(catalog: DataCatalog, labels: Mapping[str, bool]) -> None:
    train, place = catalog.load("params:train"), place_of(catalog["model_weights"])
    if train.model not in place.split("/"):
        raise UserError(
            f"train.model is {train.model}, but its weights would go to {place}: choose the model by `model` in "
            "globals.yml or by --params train.model=NAME, which both follow"
        )
    for modality, name in train.stored_embeddings.items():
        if labels[modality] and not catalog.load(f"params:{modality}_label").embeddings:
            raise UserError(
                f"train.{name} is set, but {modality}_label.embeddings is false, so there are no embeddings to learn: "
                f"set it to true in parameters/{modality}_label.yml, or the weight to 0"
            )
    if train.views_weight and labels["audio"] and not catalog.load("params:audio_label").views.count:
        raise UserError(
            "train.views_weight is set, but audio_label.views.count is 0, so there are no views to learn from: set it "
            "to 4, say, in parameters/audio_label.yml, or the weight to 0"
        )
    _check_stored_training(catalog, train)
    if train.device != "auto" or train.devices > 1:
        from xmodal_kedro.models.device import check_devices

        check_devices(train.device, train.devices)


def _check_stored_training(catalog: DataCatalog, train: TrainParams) -> None:
    if "training_checkpoints" not in catalog:
        return
    checkpoints = catalog.load("training_checkpoints")
    notes = checkpoints.state()
    if notes is not None:
        from xmodal_kedro.training.resuming import require_own_training  # brings torch, which this run loads anyway

        require_own_training(notes, train, checkpoints.path)


def _check_device(catalog: DataCatalog, name: str) -> None:
    device = catalog.load(f"params:{name}").device
    if device != "auto":
        from xmodal_kedro.models.device import choose_device

        choose_device(device, f"{name}.device")


def _unwritable_outputs(pipeline: Pipeline, catalog: DataCatalog) -> Iterator[str]:
    places = {place_of(catalog[name]) for name in pipeline.all_outputs() if name in catalog}
    try:
        roots = {_existing_folder(place) for place in places}
    except Exception as error:  # drivers of remote storage have errors of their own
        yield f"cannot reach {min(places - {''})} ({error}): correct data_root, or the credentials of its storage"
        return
    for fs, root in sorted(roots, key=lambda root: root[1]):
        test_file = posixpath.join(root, f".trial-{uuid.uuid4().hex}")
        try:
            fs.pipe_file(test_file, bytes(TEST_FILE_BYTES))
            fs.rm_file(test_file)
        except Exception as error:  # as above: OSError for a local disk, the driver's own error for a bucket
            yield (
                f"cannot write in {root} ({getattr(error, 'strerror', None) or error}): make room or give write access "
                "there, or set another --params data_root=FOLDER"
            )


def _outputs_of_newer_versions(pipeline: Pipeline, catalog: DataCatalog) -> Iterator[str]:
    """Folders of outputs whose index this version cannot read, which would stop the run after the work."""
    for name in sorted(name for name in pipeline.all_outputs() if name in catalog):
        require_readable_index = getattr(catalog[name], "require_readable_index", None)
        if require_readable_index is not None:
            try:
                require_readable_index()
            except DatasetError as error:
                yield f"{name}: {error}"


def _existing_folder(place: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """The nearest existing folder of `place`, in which a test write shows whether `place` can be written."""
    fs, path = fsspec.url_to_fs(place)
    if fs.isfile(path):
        path = fs._parent(path)
    while path and not fs.exists(path):
        path = fs._parent(path)
    return fs, path
