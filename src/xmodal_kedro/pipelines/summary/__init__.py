"""Lay side by side all that was judged so far: every network and every rule of merging, on every benchmark."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
