"""Write embedded windows for Embedding Atlas."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
