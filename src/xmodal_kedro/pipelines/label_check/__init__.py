"""Measure labels against the known truth of some recordings."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
