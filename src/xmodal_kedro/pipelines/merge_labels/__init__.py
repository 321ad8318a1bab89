"""Make one training target of what both teachers say."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
