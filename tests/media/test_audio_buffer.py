"""The sound within reach: measured and cut as if the whole recording were there."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xmodal_kedro.media.audio_buffer import BLOCK_SAMPLES, Tape
from xmodal_kedro.media.spans import Span

RNG = np.random.default_rng(0)
SOUND = RNG.integers(-30_000, 30_000, 5 * 16_000 + 7, dtype=np.int16)


@given(st.lists(st.integers(0, SOUND.size), max_size=12).map(sorted))
def test_blocks_are_measured_once_each_however_the_sound_comes(edges):
    tape = Tape()
    measured = []
    for part in np.split(SOUND, edges):
        tape.add(part)
        measured.append(tape.measure())
        tape.forget_before(tape.end_ms)

    blocks = SOUND[: SOUND.size // BLOCK_SAMPLES * BLOCK_SAMPLES].reshape(-1, BLOCK_SAMPLES) / 32_768
    assert np.concatenate(measured) == pytest.approx(np.square(blocks).mean(axis=1), rel=1e-5)
    assert tape.sample_count == SOUND.size


@given(st.integers(0, 2000), st.integers(1, 3000))
def test_a_cut_is_the_same_after_what_came_before_it_is_forgotten(start_ms, length_ms):
    tape = Tape()
    tape.add(SOUND)
    tape.measure()
    tape.forget_before(start_ms)

    cut = tape.cut(Span(start_ms, start_ms + length_ms))

    np.testing.assert_array_equal(cut, SOUND[16 * start_ms : 16 * (start_ms + length_ms)])


def test_what_is_forgotten_is_not_kept_in_memory():
    tape = Tape()
    for _ in range(100):
        tape.add(SOUND)
        tape.measure()
        tape.forget_before(tape.end_ms)
    assert len(tape._pcm) < 4 * BLOCK_SAMPLES
