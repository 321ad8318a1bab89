from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xmodal_kedro.features.views import View, cut, view_of

SOUND = (8_000 * np.sin(np.arange(16_000) / 7)).astype(np.int16)


@given(clip_id=st.text(), number=st.integers(0, 99), seed=st.integers(0, 2**32), surplus=st.integers(0, 10**6))
def test_a_view_is_a_part_of_its_clip_at_a_level_within_the_range(
    clip_id: str, number: int, seed: int, surplus: int
) -> None:
    view = view_of(clip_id, number, seed, surplus, 6.0)
    assert 0 <= view.start <= surplus and view.number == number
    assert 10 ** (-6 / 20) <= view.gain <= 10 ** (6 / 20)
    assert view == view_of(clip_id, number, seed, surplus, 6.0)


def test_views_differ_by_clip_number_and_seed() -> None:
    places = [("a", 0, 0), ("b", 0, 0), ("a", 1, 0), ("a", 0, 1)]
    views = {(view.start, view.gain) for view in (view_of(*place, 10**6, 6.0) for place in places)}
    assert len(views) == len(places)


def test_starts_and_levels_are_even_over_their_ranges() -> None:
    views = [view_of(f"clip-{clip}", number, 0, 99, 6.0) for clip in range(400) for number in range(5)]
    assert np.bincount([view.start for view in views], minlength=100).min() > 0
    levels_db = 20 * np.log10([view.gain for view in views])
    assert abs(float(levels_db.mean())) < 0.3 and levels_db.min() < -5.8 and levels_db.max() > 5.8


def test_a_view_without_a_change_of_level_is_the_stored_samples() -> None:
    np.testing.assert_array_equal(cut(SOUND, 4_000, View(1_000)), SOUND[1_000:5_000])


def test_a_short_clip_is_repeated() -> None:
    np.testing.assert_array_equal(cut(SOUND[:100], 250, View(0)), np.resize(SOUND[:100], 250))


@pytest.mark.parametrize("gain", [0.5, 1.9, 1_000.0])
def test_levels_change_every_sample_alike_and_never_beyond_full_scale(gain: float) -> None:
    heard = cut(SOUND, 4_000, View(1_000, gain))
    part = SOUND[1_000:5_000].astype(np.float64)
    applied = min(gain, 32_767 / np.abs(part).max())
    assert heard.dtype == np.int16
    np.testing.assert_allclose(heard, applied * part, atol=0.5)


def test_the_lowest_sample_of_the_format_stays_in_it() -> None:
    lowest = np.full(10, -32_768, np.int16)
    assert cut(lowest, 10, View(0, 2.0)).min() == -32_767
    assert cut(np.zeros(10, np.int16), 10, View(0, 2.0)).max() == 0
