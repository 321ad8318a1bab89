"""Generate the sample world: videos, teachers, benchmark."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
