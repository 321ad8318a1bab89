"""Stored audio as the bytes of sound files, without loss."""

from __future__ import annotations

import io

import av
import numpy as np

from xmodal_kedro.media.wav_file import wav
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ

FRAME_SAMPLES = 4096
"""Samples that are given to the encoder at a time."""


def sound_bytes(audio: bytes, form: str) -> bytes:
    """16-bit mono PCM as a file, `flac` or `wav`, with the same samples.

    Raises:
        ValueError: if there are no samples, of which FLAC makes no file.
    """
    return flac(audio) if form == "flac" else wav(audio)


def flac(audio: bytes) -> bytes:
    """16-bit mono PCM as FLAC. Equal samples give equal bytes, by one version of FFmpeg."""
    samples = np.frombuffer(audio, np.int16)
    if not len(samples):
        raise ValueError("a FLAC file needs samples")
    stream = io.BytesIO()
    # Otherwise FFmpeg leaves 8 kB for tags that somebody may add.
    with av.open(stream, "w", format="flac", options={"metadata_header_padding": "0"}) as container:
        encoder = container.add_stream("flac", rate=CLIP_SAMPLE_RATE_HZ, layout="mono", format="s16")
        for start in range(0, len(samples), FRAME_SAMPLES):
            part = samples[None, start : start + FRAME_SAMPLES]
            frame = av.AudioFrame.from_ndarray(part, format="s16", layout="mono")
            frame.sample_rate, frame.pts = CLIP_SAMPLE_RATE_HZ, start
            container.mux(encoder.encode(frame))
        container.mux(encoder.encode(None))
    return stream.getvalue()
