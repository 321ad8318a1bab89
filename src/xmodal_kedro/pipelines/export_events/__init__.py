"""Write events of embedded recordings for other tools."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
