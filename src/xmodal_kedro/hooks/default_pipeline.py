"""The pipeline of `kedro run` without a pipeline's name."""

from __future__ import annotations

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines

SAMPLE_ENV = "sample"


def default_env(context: KedroContext) -> str:
    """The env of a run without `--env`."""
    return str(getattr(context.config_loader, "default_run_env", ""))


class DefaultPipelineHooks:
    """In the env `sample`, adds the pipelines `sample` and `label_check` to the default pipeline."""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        if (context.env or default_env(context)) == SAMPLE_ENV:
            pipelines["__default__"] = pipelines["sample"] + pipelines["__default__"] + pipelines["label_check"]
