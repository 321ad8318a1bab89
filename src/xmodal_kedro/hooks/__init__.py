"""Kedro hooks: choice of the default pipeline, fetching and checks before a run, tracking in MLflow, a summary."""

from .benchmark import BenchmarkHooks
from .default_pipeline import DefaultPipelineHooks
from .deferred import TrackingHooks
from .preflight import PreflightHooks
from .summary import SummaryHooks

__all__ = ["BenchmarkHooks", "DefaultPipelineHooks", "PreflightHooks", "SummaryHooks", "TrackingHooks"]
