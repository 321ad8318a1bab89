"""Prove on a standard benchmark what the learnt representation is worth, and report it."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
