"""Merge the labels of both teachers into training targets."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
