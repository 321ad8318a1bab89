"""Kedro hooks: choice of the default pipeline, fetching of benchmarks, checks before a run, tracking in MLflow."""

from .benchmark import BenchmarkHooks
from .default_pipeline import DefaultPipelineHooks
from .deferred import TrackingHooks
from .preflight import PreflightHooks

__all__ = ["BenchmarkHooks", "DefaultPipelineHooks", "PreflightHooks", "TrackingHooks"]
