"""Kedro hooks: default pipeline, one run at a time, fetching and checks before a run, tracking in MLflow, summary."""

from .benchmark import BenchmarkHooks
from .data_root import DataRootHooks
from .default_pipeline import DefaultPipelineHooks
from .deferred import TrackingHooks
from .preflight import PreflightHooks
from .run_lock import RunLockHooks
from .summary import SummaryHooks

__all__ = [
    "BenchmarkHooks",
    "DataRootHooks",
    "DefaultPipelineHooks",
    "PreflightHooks",
    "RunLockHooks",
    "SummaryHooks",
    "TrackingHooks",
]
