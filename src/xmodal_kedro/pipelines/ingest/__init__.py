"""Probe the sources: which are usable, and why others are rejected."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
