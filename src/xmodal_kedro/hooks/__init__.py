"""Kedro hooks: choice of the default pipeline, checks before a run, tracking in MLflow."""

from .default_pipeline import DefaultPipelineHooks
from .deferred import TrackingHooks
from .preflight import PreflightHooks

__all__ = ["DefaultPipelineHooks", "PreflightHooks", "TrackingHooks"]
