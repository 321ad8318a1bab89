"""Export a classifier of one's own for use elsewhere."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
