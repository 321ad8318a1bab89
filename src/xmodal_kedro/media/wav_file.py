"""Stored audio as a WAV file."""

from __future__ import annotations

import io
import wave

from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ


def wav(audio: bytes) -> bytes:
    """A WAV file of 16-bit mono PCM, as loud as it is stored."""
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(CLIP_SAMPLE_RATE_HZ)
        file.writeframes(audio)
    return stream.getvalue()
