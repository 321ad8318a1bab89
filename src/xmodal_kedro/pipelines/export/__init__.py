"""Export a trained network for use elsewhere."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
