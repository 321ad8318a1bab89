"""Find the best labels to learn from: train a network on the labels of each merge rule, and evaluate it."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
