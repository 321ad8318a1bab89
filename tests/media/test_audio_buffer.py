"""The buffered audio is measured and cut as if the whole recording were there."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xmodal_kedro.media.audio_buffer import BLOCK_SAMPLES, AudioBuffer
from xmodal_kedro.media.spans import Span

RNG = np.random.default_rng(0)
SOUND = RNG.integers(-30_000, 30_000, 5 * 16_000 + 7, dtype=np.int16)


@given(st.lists(st.integers(0, SOUND.size), max_size=12).map(sorted))
def test_blocks_are_measured_once_each_however_the_sound_comes(edges):
    audio_buffer = AudioBuffer()
    measured = []
    for part in np.split(SOUND, edges):
        audio_buffer.add(part)
        measured.append(audio_buffer.measure())
        audio_buffer.forget_before(audio_buffer.end_ms)

    blocks = SOUND[: SOUND.size // BLOCK_SAMPLES * BLOCK_SAMPLES].reshape(-1, BLOCK_SAMPLES) / 32_768
    assert np.concatenate(measured) == pytest.approx(np.square(blocks).mean(axis=1), rel=1e-5)
    assert audio_buffer.sample_count == SOUND.size


@given(st.integers(0, 2000), st.integers(1, 3000))
def test_a_cut_is_the_same_after_what_came_before_it_is_forgotten(start_ms, length_ms):
    audio_buffer = AudioBuffer()
    audio_buffer.add(SOUND)
    audio_buffer.measure()
    audio_buffer.forget_before(start_ms)

    cut = audio_buffer.cut(Span(start_ms, start_ms + length_ms))

    np.testing.assert_array_equal(cut, SOUND[16 * start_ms : 16 * (start_ms + length_ms)])


def test_what_is_forgotten_is_not_kept_in_memory():
    audio_buffer = AudioBuffer()
    for _ in range(100):
        audio_buffer.add(SOUND)
        audio_buffer.measure()
        audio_buffer.forget_before(audio_buffer.end_ms)
    assert len(audio_buffer._pcm) < 4 * BLOCK_SAMPLES
