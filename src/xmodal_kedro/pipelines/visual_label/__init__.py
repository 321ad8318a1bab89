"""Ask a teacher what is seen in each clip."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
