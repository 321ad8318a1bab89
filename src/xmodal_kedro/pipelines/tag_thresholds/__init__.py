"""Thresholds for the tags of a trained network, from the answers of reviewers."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
