"""Evaluate labels on recordings with known truth."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
