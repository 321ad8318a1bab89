"""What happens around a run: choice of the default pipeline, checks before the work, tracking in MLflow."""

from .default_pipeline import DefaultPipelineHooks
from .deferred import TrackingHooks
from .preflight import PreflightHooks

__all__ = ["DefaultPipelineHooks", "PreflightHooks", "TrackingHooks"]
