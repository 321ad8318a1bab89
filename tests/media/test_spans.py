"""Where clips lie in a recording."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xmodal_kedro.media.spans import Span, pick_spread, plan_spans, rms_dbfs
from xmodal_kedro.params import ClipParams


@st.composite
def clip_params(draw: st.DrawFn) -> ClipParams:
    lengths_ms = sorted(draw(st.lists(st.integers(500, 20_000), min_size=3, max_size=3)))
    min_s, target_s, max_s = (length_ms / 1000 for length_ms in lengths_ms)
    return ClipParams(min_s=min_s, target_s=target_s, max_s=max_s)


@given(st.floats(0, 20_000), clip_params())
def test_spans_keep_their_length_and_follow_each_other_inside_the_recording(duration_s, params):
    spans = plan_spans(duration_s, params)

    lengths_ms = [span.end_ms - span.start_ms for span in spans]
    assert all(round(params.min_s * 1000) <= length_ms <= round(params.max_s * 1000) for length_ms in lengths_ms)
    assert all(before.end_ms == after.start_ms for before, after in pairwise(spans))
    assert not spans or (spans[0].start_ms == 0 and spans[-1].end_s <= duration_s)


@given(st.floats(0, 20_000), clip_params())
def test_no_other_number_of_spans_covers_more(duration_s, params):
    total_ms = math.floor(duration_s * 1000)
    min_ms, max_ms = round(params.min_s * 1000), round(params.max_s * 1000)
    most_ms = max((min(total_ms, count * max_ms) for count in range(1, total_ms // min_ms + 1)), default=0)

    assert sum(span.end_ms - span.start_ms for span in plan_spans(duration_s, params)) == most_ms


@pytest.mark.parametrize(
    ("duration_s", "lengths_s"),
    [(2.999, []), (3.0, [3.0]), (4.9, [4.9]), (5.5, [5.0]), (8.0, [4.0, 4.0]), (10.0, [10 / 3] * 3), (12.0, [4.0] * 3)],
)
def test_spans_are_near_the_target(duration_s, lengths_s):
    spans = plan_spans(duration_s, ClipParams())

    assert [span.end_s - span.start_s for span in spans] == pytest.approx(lengths_s, abs=0.0011)


def test_level_is_relative_to_full_scale():
    square_wave = np.array([16_384, -16_384] * 100, np.int16)

    assert rms_dbfs(square_wave) == pytest.approx(-6.02, abs=0.01)
    assert rms_dbfs(np.zeros(100, np.int16)) == -math.inf
    assert rms_dbfs(np.empty(0, np.int16)) == -math.inf


def test_pictures_are_picked_from_the_span_and_spread_over_it():
    times_s = [3.9, 4.0, 4.2, 5.0, 6.1, 7.0, 8.0]

    assert pick_spread(times_s, Span(4000, 8000), 2) == [3, 5]
    assert pick_spread(times_s, Span(4000, 8000), 9) == [1, 2, 3, 4, 5]
    assert pick_spread(times_s, Span(9000, 12000), 2) == []
