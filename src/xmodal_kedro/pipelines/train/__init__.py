"""Train a backbone on the sound of clips, with the merged machine labels as targets."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
