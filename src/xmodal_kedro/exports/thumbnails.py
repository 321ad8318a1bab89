"""Small pictures of windows."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from xmodal_kedro.reports.labels.contact_sheet import spectrogram

JPEG_QUALITY = 80


def small_frame(jpeg: bytes, longer_side_px: int) -> bytes:
    """A JPEG whose longer side has at most so many pixels."""
    return _shrunk(jpeg, longer_side_px, ".jpg", [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])


def small_spectrogram(audio: bytes, longer_side_px: int) -> bytes:
    """A PNG of the log-mel spectrogram of 16-bit PCM, see `contact_sheet.spectrogram`."""
    return _shrunk(spectrogram(audio), longer_side_px, ".png", [cv2.IMWRITE_PNG_COMPRESSION, 9])


def _shrunk(content: bytes, longer_side_px: int, form: str, options: list[int]) -> bytes:
    image: Any = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    height, width = image.shape[:2]
    scale = min(1.0, longer_side_px / max(height, width))
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    encoded: np.ndarray = cv2.imencode(form, cv2.resize(image, size, interpolation=cv2.INTER_AREA), options)[1]
    return encoded.tobytes()
