"""Cut usable videos into clips of audio and frames."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
