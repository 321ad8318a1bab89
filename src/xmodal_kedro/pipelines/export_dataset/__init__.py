"""Write the labelled clips as data sets of other libraries."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
