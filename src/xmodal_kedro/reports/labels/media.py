"""A clip's pictures and sound in forms that a page can hold."""

from __future__ import annotations

import io
import wave
from base64 import b64encode

import cv2
import numpy as np
import torch

from xmodal_kedro.features.log_mel import WINDOW_LENGTH, LogMel
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ, INT16_FULL_SCALE


def wav(audio: bytes) -> bytes:
    """A WAV file of 16-bit mono PCM, as loud as it is stored."""
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(CLIP_SAMPLE_RATE_HZ)
        file.writeframes(audio)
    return stream.getvalue()


def spectrogram(audio: bytes) -> bytes:
    """A PNG of the log-mel spectrogram of 16-bit PCM: a column a frame of 10 ms, a row a mel band, low ones below.

    Colours run from digital silence to the clip's loudest spot, so a quiet clip can be read too.
    """
    samples_T = np.frombuffer(audio, np.int16).astype(np.float32) / INT16_FULL_SCALE
    if len(samples_T) < WINDOW_LENGTH:
        samples_T = np.pad(samples_T, (0, WINDOW_LENGTH - len(samples_T)))
    front_end = LogMel()
    with torch.inference_mode():
        log_mel_FM = front_end(torch.from_numpy(samples_T)[None])[0].numpy()
    floor = np.log(front_end.log_offset)
    brightness_MF = (log_mel_FM.T[::-1] - floor) / max(float(log_mel_FM.max() - floor), 1e-6)
    coloured = cv2.applyColorMap((255 * brightness_MF.clip(0, 1)).astype(np.uint8), cv2.COLORMAP_MAGMA)
    encoded: np.ndarray = cv2.imencode(".png", coloured, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1]
    return encoded.tobytes()


def data_uri(content: bytes, kind: str) -> str:
    """Content as an address, such as of the kind `image/png`."""
    return f"data:{kind};base64,{b64encode(content).decode()}"
