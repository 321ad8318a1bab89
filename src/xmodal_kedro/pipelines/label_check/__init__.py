"""Hold labels against what is known of some recordings."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
