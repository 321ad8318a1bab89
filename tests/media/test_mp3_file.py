"""Stored audio as MP3: as long and as loud, small, and the same each time."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest

from xmodal_kedro.media.mp3_file import mp3
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ, INT16_FULL_SCALE


@pytest.mark.parametrize("seconds", [1.0, 4.0, 9.7])
def test_a_tone_is_as_long_and_as_loud_as_it_was(seconds: float) -> None:
    times_s = np.arange(round(seconds * CLIP_SAMPLE_RATE_HZ)) / CLIP_SAMPLE_RATE_HZ
    audio_T = (9000 * np.sin(2 * np.pi * 440 * times_s)).astype(np.int16)
    with av.open(io.BytesIO(mp3(audio_T.tobytes()))) as sound:
        assert sound.streams.audio[0].rate == CLIP_SAMPLE_RATE_HZ
        decoded_T = np.concatenate([part.to_ndarray()[0] for part in sound.decode(audio=0)])
    assert len(decoded_T) == len(audio_T)
    stored_T = audio_T / INT16_FULL_SCALE
    assert np.sqrt(np.mean(decoded_T**2)) == pytest.approx(np.sqrt(np.mean(stored_T**2)), rel=0.05)
    assert np.corrcoef(decoded_T, stored_T)[0, 1] > 0.98


def test_equal_audio_gives_an_equal_small_file() -> None:
    noise = np.random.default_rng(0).integers(-9000, 9000, 5 * CLIP_SAMPLE_RATE_HZ).astype(np.int16).tobytes()
    assert mp3(noise) == mp3(noise)
    assert len(mp3(noise)) < 32_000
