"""The pipeline of `kedro run` without a pipeline's name."""

from __future__ import annotations

from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro.pipeline import Pipeline

from xmodal_kedro.params.choices import BENCHMARKS
from xmodal_kedro.pipeline_registry import MAIN_LINE

SAMPLE_ENV = "sample"
JUDGING = "transfer_eval"


def default_env(context: KedroContext) -> str:
    """The env of a run without `--env`."""
    return str(getattr(context.config_loader, "default_run_env", ""))


class DefaultPipelineHooks:
    """Makes the default pipeline: the main line; in the env `sample` with `sample` and `label_check`.

    Without a benchmark, neither named nor where it is looked for, the line ends with the trained network.
    """

    @hook_impl(tryfirst=True)
    def after_context_created(self, context: KedroContext) -> None:
        names: tuple[str, ...] = MAIN_LINE
        if (context.env or default_env(context)) == SAMPLE_ENV:
            names = ("sample", *names, "label_check")
        elif not has_benchmark(context):
            names = tuple(name for name in names if name != JUDGING)
        pipelines["__default__"] = sum((pipelines[name] for name in names), Pipeline([]))
        _ = context.params  # a wrong parameter ends the run here, before MLflow is loaded


def has_benchmark(context: KedroContext) -> bool:
    """Whether a benchmark is named in the run's parameters, or has files where it is looked for."""
    given: dict[str, Any] = context._runtime_params or {}
    if given.keys() & BENCHMARKS or "benchmark" in (given.get(JUDGING) or {}):
        return True
    from xmodal_kedro.datasets.folder import FolderDataset

    place = str(context.config_loader["catalog"]["benchmark_files"]["path"])
    try:
        return FolderDataset(path=place).exists()
    except Exception:  # drivers of storage have errors of their own; the check of inputs reports them
        return True
