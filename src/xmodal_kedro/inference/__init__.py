"""Trained networks in use: `AudioModel`, and its adapters for recordings and for MLflow."""
