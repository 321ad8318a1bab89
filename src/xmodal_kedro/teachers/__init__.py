"""Pretrained classifiers that label clips: one protocol, one file a backend."""
