"""Clips to look at and to listen to, in forms that a page can hold."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch

from xmodal_kedro.features.framing import WINDOW_LENGTH
from xmodal_kedro.features.log_mel import LogMel
from xmodal_kedro.media.wav_file import wav
from xmodal_kedro.pcm import INT16_FULL_SCALE
from xmodal_kedro.reports import html
from xmodal_kedro.reports.labels.clip_views import ClipView


@dataclass(frozen=True)
class ShownClips:
    """Clips that a report shows.

    Attributes:
        random: an even draw of all clips.
        contradictory: those in which both teachers have high scores, and no label supports another.
    """

    random: Sequence[ClipView]
    contradictory: Sequence[ClipView]

    def sheet(self) -> str:
        """A contact sheet of both."""
        return contact_sheet([("A random sample", self.random), ("The most contradictory clips", self.contradictory)])


def contact_sheet(groups: Sequence[tuple[str, Sequence[ClipView]]]) -> str:
    """Groups of clips under their headings: HTML in one line, with its style, for whatever page it is put into."""
    filled = [(heading, list(map(clip_files, views))) for heading, views in groups]
    return " ".join(html.render("contact_sheet.html.j2", groups=filled).split())


def clip_files(view: ClipView) -> dict[str, Any]:
    """A clip's fields, with its frames, spectrogram and audio as `data:` URIs."""
    return vars(view) | {
        "frames": [data_uri(jpeg, "image/jpeg") for jpeg in view.frames],
        "spectrogram": data_uri(spectrogram(view.audio), "image/png"),
        "audio": data_uri(wav(view.audio), "audio/wav"),
    }


def spectrogram(audio: bytes) -> bytes:
    """A PNG of the log-mel spectrogram of 16-bit PCM: a column per frame of 10 ms, a row per mel band, the lowest at
    the bottom.

    Colours run from digital silence to the maximum of the clip, so that a quiet clip can be read too.
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


def data_uri(content: bytes, media_type: str) -> str:
    """Content as a `data:` URI."""
    return f"data:{media_type};base64,{b64encode(content).decode()}"
