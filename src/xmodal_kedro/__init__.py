"""Cross-modal supervised learning of acoustic representations from videos that nobody labelled."""

__version__ = "0.1.0"
