"""Summarise all results so far: every network and every merge rule on every benchmark."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
