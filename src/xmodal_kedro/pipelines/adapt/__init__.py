"""A classifier of one's own, from labelled clips and a trained network."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
