"""Kedro settings of the project."""

import os

# Tracking here means the user's own store, never a vendor's.
os.environ.setdefault("DO_NOT_TRACK", "true")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

from xmodal_kedro.cli.plugins import defer_mlflow_commands, hide_warnings_of_plugins, skip_disabled_hooks
from xmodal_kedro.config import ConfigLoader
from xmodal_kedro.context import ProjectContext
from xmodal_kedro.hooks import (
    BenchmarkHooks,
    DataRootHooks,
    DefaultPipelineHooks,
    PreflightHooks,
    RunLockHooks,
    SummaryHooks,
    TrackingHooks,
)
from xmodal_kedro.hooks.default_pipeline import SAMPLE_ENV
from xmodal_kedro.params.places import own_or

defer_mlflow_commands()
hide_warnings_of_plugins()
skip_disabled_hooks()

# Of hooks that are to go first, Kedro calls the last one first: inputs are checked, then the lock is taken.
HOOKS = (
    DefaultPipelineHooks(),
    DataRootHooks(),
    RunLockHooks(),
    PreflightHooks(),
    BenchmarkHooks(),
    TrackingHooks(),
    SummaryHooks(),
)

# Tracking extends kedro-mlflow's own hook and takes its place.
DISABLE_HOOKS_FOR_PLUGINS = ("kedro_mlflow",)

CONTEXT_CLASS = ProjectContext

CONFIG_LOADER_CLASS = ConfigLoader

# Without --env, commands work on what `make demo` made. Other recordings have envs of their own.
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": SAMPLE_ENV,
    "custom_resolvers": {"own_or": own_or},
    "merge_strategy": {"globals": "soft", "parameters": "soft", "mlflow": "soft"},
}
