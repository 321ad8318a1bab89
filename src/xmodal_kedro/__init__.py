"""Cross-modal supervised learning of acoustic representations from videos that nobody labelled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path

    from xmodal_kedro.inference.audio_model import AudioModel

__version__ = "0.2.0"
__all__ = ["load"]


def load(source: str | Path, device: Literal["auto", "cpu", "cuda"] = "auto") -> AudioModel:
    """Load a trained network, to embed and tag sound with: see `inference.audio_model.AudioModel.load`."""
    from xmodal_kedro.inference.audio_model import AudioModel  # torch takes seconds, which a command line need not

    return AudioModel.load(source, device)
