"""What happens around a run: choice of the default pipeline, checks before the work, tracking in MLflow."""

from .default_pipeline import DefaultPipelineHooks
from .preflight import PreflightHooks
from .tracking import TrackingHooks

__all__ = ["DefaultPipelineHooks", "PreflightHooks", "TrackingHooks"]
