"""Cut usable videos into clips of sound and pictures."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
