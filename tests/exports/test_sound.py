"""Sound files hold the samples of the clips."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from xmodal_kedro.exports.sound import flac, sound_bytes


def samples_by_pyav(content: bytes) -> np.ndarray:
    with av.open(io.BytesIO(content)) as container:
        return np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])


@settings(max_examples=20)
@given(st.integers(1, 9000), st.sampled_from([0, 1, 200, 32767]), st.integers(0, 99))
def test_every_sample_comes_back(count: int, peak: int, seed: int) -> None:
    samples = np.random.default_rng(seed).integers(-peak - 1, peak + 1, count).astype(np.int16)
    for form in ("flac", "wav"):
        content = sound_bytes(samples.tobytes(), form)
        read, rate = soundfile.read(io.BytesIO(content), dtype="int16")
        assert rate == 16_000 and np.array_equal(read, samples)
        assert np.array_equal(samples_by_pyav(content), samples)


def test_equal_samples_give_equal_bytes_and_flac_is_smaller() -> None:
    tone = (8000 * np.sin(np.arange(64_000) / 10)).astype(np.int16).tobytes()
    assert flac(tone) == flac(tone)
    assert len(flac(tone)) < 0.5 * len(sound_bytes(tone, "wav"))


def test_flac_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="samples"):
        flac(b"")
