"""The best way to divide one stretch of a recording into spans."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.media.planning import clip_params
from xmodal_kedro.media.arrangement import Lengths, Stretch, arrange, best_chain, even_edges
from xmodal_kedro.params import ClipParams

NONE = np.empty(0, np.int64)


def worth_of_best(first: list[int], last: list[int], worths: np.ndarray, costs: np.ndarray, end: int) -> int:
    """Brute force over edges: at each, nothing is covered, or a span ends."""
    if end == 0:
        return 0
    nothing = worth_of_best(first, last, worths, costs, end - 1) - int(costs[end] - costs[end - 1])
    spans = [
        worth_of_best(first, last, worths, costs, start) + int(worths[end, start - first[end]])
        for start in range(first[end], last[end])
    ]
    return max([nothing, *spans])


@given(st.data())
def test_no_other_chain_of_spans_is_worth_more(data):
    count = data.draw(st.integers(2, 9))
    last = [data.draw(st.integers(0, end)) for end in range(count)]
    first = [data.draw(st.integers(0, stop)) for stop in last]
    amounts = st.lists(st.integers(-20, 20), min_size=count, max_size=count)
    worths = np.array([data.draw(amounts) for _ in range(count)], np.int64)
    costs = np.cumsum([abs(step) for step in data.draw(amounts)])

    chain = best_chain(np.array(first), np.array(last), worths, costs)

    assert all(first[end] <= start < last[end] for start, end in chain)
    assert all(before[1] <= after[0] for before, after in pairwise(chain))
    covered = sum(int(costs[end] - costs[start]) for start, end in chain)
    worth = sum(int(worths[end, start - first[end]]) for start, end in chain) - int(costs[-1] - costs[0]) + covered
    assert worth == worth_of_best(first, last, worths, costs, count - 1)


@given(st.integers(0, 20_000_000), clip_params())
def test_equal_spans_keep_their_length_and_no_other_number_of_spans_covers_more(length_ms, params):
    lengths = Lengths.of(params)

    edges = even_edges(length_ms, lengths)

    assert np.all(np.diff(edges) >= lengths.shortest) and np.all(np.diff(edges) <= lengths.longest)
    counts = range(1, length_ms // lengths.shortest + 1)
    assert max(edges, default=0) == max((min(length_ms, count * lengths.longest) for count in counts), default=0)


def test_a_stretch_in_the_middle_of_a_recording_is_divided_like_one_at_its_start():
    loud = np.array([0.01, 0.0, 0.01])

    def spans_from(start_ms: int) -> list[tuple[int, int]]:
        times = start_ms + np.array([0, 7_200, 8_800, 20_000])
        keyframes = start_ms + np.array([0, 5_000, 10_000, 15_000])
        return arrange(Stretch(start_ms, start_ms + 20_000, False, times, loud, NONE, keyframes), ClipParams())

    assert spans_from(123_456) == [(start + 123_456, end + 123_456) for start, end in spans_from(0)]


def test_a_little_sound_is_left_out_if_many_pictures_had_to_be_decoded_for_it():
    times, levels = np.array([60_000, 63_700, 64_000]), np.array([0.0, 0.01])

    def spans_if_last_keyframe_is_at(time_ms: int) -> list[tuple[int, int]]:
        return arrange(Stretch(60_000, 64_000, False, times, levels, NONE, np.array([time_ms])), ClipParams())

    assert spans_if_last_keyframe_is_at(59_000) == [(60_000, 64_000)]
    assert spans_if_last_keyframe_is_at(50_000) == [(60_000, 63_700)]  # silence, which must be counted
