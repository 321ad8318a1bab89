import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.dedup.recordings import RATE_HZ, sound_of
from xmodal_kedro.dedup.audio_fingerprint import FLAT, HOP_SAMPLES, fingerprint_sound, probes
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ

NOISE = np.random.default_rng(0).standard_normal(4 * CLIP_SAMPLE_RATE_HZ)
TIME_S = np.arange(NOISE.size) / CLIP_SAMPLE_RATE_HZ


def pcm(sound: np.ndarray) -> np.ndarray:
    return np.round(sound).astype(np.int16)


def lively(seed: int) -> np.ndarray:
    return pcm(20_000 * sound_of(seed, 5)[:: RATE_HZ // CLIP_SAMPLE_RATE_HZ])


def wrong_bits(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.bitwise_count(one ^ other).mean() / 32)


@settings(deadline=None, max_examples=8)
@given(start_ms=st.integers(0, 600_000), cut_ms=st.integers(0, 2000))
def test_a_word_depends_on_its_place_in_the_video_and_not_on_where_clips_are_cut(start_ms: int, cut_ms: int) -> None:
    audio = lively(1)
    whole = fingerprint_sound(audio, start_ms / 1000)
    part = fingerprint_sound(audio[cut_ms * 16 :], (start_ms + cut_ms) / 1000)
    same = slice(part.first - whole.first, None)
    np.testing.assert_array_equal(whole.words[same], part.words)
    np.testing.assert_array_equal(whole.weak_bits[same], part.weak_bits)


@pytest.mark.parametrize(
    "sound",
    [
        0 * TIME_S,
        8000 * np.sin(2 * np.pi * 440 * TIME_S),
        sum(3000 * np.sin(2 * np.pi * hz * TIME_S) for hz in (261.6, 329.6, 392.0)),
        sum(3000 / k * np.sin(2 * np.pi * 50 * k * TIME_S) for k in range(1, 30)),
        0.5 * NOISE,
    ],
    ids=["silence", "tone", "chord", "mains hum", "noise of one bit"],
)
def test_sound_in_which_nothing_happens_has_no_words(sound: np.ndarray) -> None:
    words = fingerprint_sound(pcm(sound), 0.0).words
    assert words.size == 147
    assert (words == FLAT).all()


def test_even_faint_sound_in_which_something_happens_has_words() -> None:
    assert (fingerprint_sound(pcm(20 * NOISE), 0.0).words != FLAT).all()


def test_level_hardly_matters_and_another_sound_has_half_its_bits_wrong() -> None:
    words, quieter, other = (fingerprint_sound(audio, 0.0).words for audio in (lively(1), lively(1) // 2, lively(2)))
    assert wrong_bits(words, quieter) < 0.01
    assert wrong_bits(words, other) == pytest.approx(0.5, abs=0.05)


def test_a_shift_by_half_a_hop_leaves_most_bits() -> None:
    audio = lively(1)
    words = fingerprint_sound(audio, 0.0).words
    shifted = fingerprint_sound(audio[HOP_SAMPLES // 2 :], 0.0).words
    assert wrong_bits(words[: shifted.size], shifted) < 0.12


def test_a_sound_shorter_than_a_window_has_no_words() -> None:
    assert fingerprint_sound(lively(1)[:7000], 0.0).words.size == 0


def test_probes_are_the_word_with_its_weakest_bits_set_in_all_ways() -> None:
    words, weak_bits = np.array([0b1010], np.uint32), np.array([31 | 30 << 5 | 0 << 10], np.uint16)
    top = 1 << 31
    assert set(probes(words, weak_bits)[0].tolist()) == {8 + low + high for low in range(4) for high in (0, top)}
