"""Write the labels of clips for other tools."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
