"""Evaluate the learnt representation on a standard benchmark, and report it."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
