"""Find out which sources can be used, and why the others cannot."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
