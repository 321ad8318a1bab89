"""For models that MLflow keeps from version 0.1: the copy of code in them imports `load` from here, and calls `hear`.

Nothing else is to use it; see `inference.audio_model`.
"""

from __future__ import annotations

from xmodal_kedro.inference.audio_model import AudioModel


class Listener(AudioModel):
    """An `AudioModel` under the name of version 0.1."""

    hear = AudioModel.predict


load = Listener.load
