"""Train a backbone on the audio of clips, with the merged labels as targets."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
