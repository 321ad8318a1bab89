"""Embed and tag any recordings with a trained network."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
