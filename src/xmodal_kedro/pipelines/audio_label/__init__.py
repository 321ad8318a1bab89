"""Label the audio of each clip with a teacher."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
