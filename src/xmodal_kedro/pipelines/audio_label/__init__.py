"""Ask a teacher what is heard in each clip."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
