"""What the answers of reviewers show."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
