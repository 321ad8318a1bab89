"""Edits of audio: samples are neither lost nor doubled beyond what an edit says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xmodal_kedro.media.audio_clock import Edit
from xmodal_kedro.media.audio_editor import AudioEditor, splice

RATE_HZ = 16_000


def edited(audio_T: np.ndarray, edits: list[Edit], piece: int = RATE_HZ) -> np.ndarray:
    """Audio that is added piece by piece, with edits that are known when their time comes."""
    editor, parts, waiting = AudioEditor(RATE_HZ), [], list(edits)
    for start in range(0, len(audio_T), piece):
        editor.add(audio_T[start : start + piece].tobytes())
        settled_s = min(start + piece, len(audio_T)) / RATE_HZ
        due = [edit for edit in waiting if edit.at_s < settled_s]
        waiting = waiting[len(due) :]
        parts += editor.edited(due, settled_s)
    parts += editor.finish()
    return np.frombuffer(b"".join(parts), np.int16)


def ramp(seconds: float) -> np.ndarray:
    return (np.arange(round(seconds * RATE_HZ)) % 30_000).astype(np.int16)


@given(st.integers(1, 5), st.integers(100, 40_000))
@settings(max_examples=30, deadline=None)
def test_without_edits_all_samples_pass(seconds, piece):
    np.testing.assert_array_equal(edited(ramp(seconds), [], piece), ramp(seconds))


def test_a_gap_is_silence_in_its_place():
    audio_T = edited(ramp(3), [Edit(1.5, 0.5, is_drift=False)], 7_001)

    np.testing.assert_array_equal(audio_T[:24_000], ramp(3)[:24_000])
    assert not audio_T[24_000:32_000].any()
    np.testing.assert_array_equal(audio_T[32_000:], ramp(3)[24_000:])


def test_a_repetition_is_left_out_in_its_place():
    audio_T = edited(ramp(3), [Edit(1.5, -0.25, is_drift=False)], 7_001)

    np.testing.assert_array_equal(audio_T, np.delete(ramp(3), slice(24_000, 28_000)))


@pytest.mark.parametrize("change_s", [-0.03, 0.03])
def test_a_splice_makes_no_click(change_s):
    tone = np.round(8000 * np.sin(2 * np.pi * 311 * np.arange(3 * RATE_HZ) / RATE_HZ)).astype(np.int16)

    audio_T = edited(tone, [Edit(1.0, change_s, is_drift=True)])

    assert len(audio_T) == len(tone) + round(change_s * RATE_HZ)
    assert np.abs(np.diff(audio_T.astype(int))).max() <= np.abs(np.diff(tone.astype(int))).max() + 2


@given(st.integers(-600, 600), st.integers(1, 200), st.integers(0, 2000))
@settings(max_examples=60, deadline=None)
def test_a_splice_changes_the_length_by_what_it_says_or_nothing(change, fade, samples):
    audio_T = np.random.default_rng(0).integers(-3000, 3000, samples).astype(np.int16)

    spliced_T = splice(audio_T, change, fade)

    assert len(spliced_T) - samples in (change, 0)
    if samples >= abs(change) + fade:
        assert len(spliced_T) - samples == change


def test_drift_at_the_end_is_left_where_there_is_no_room():
    audio_T = edited(ramp(1), [Edit(0.99, 0.03, is_drift=True)])

    assert len(audio_T) in (RATE_HZ, RATE_HZ + 480)
