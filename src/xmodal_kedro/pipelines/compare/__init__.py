"""Ask which labels to learn from: train one network on the labels of each rule of merging, and judge it."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
