"""Summarise all results so far: of every network and every rule of merging, on every benchmark."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
