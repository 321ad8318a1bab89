"""Draw clips to ask people about, and write the page on which they answer."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
