"""Properties of the spans of any recording."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.media.planning import add_times, lengths_ms, loud, plan, recordings, short_spans, shots_of
from xmodal_kedro.media.spans import BLOCK_MS, MAX_UNDECIDED_SPANS, OPEN_SPANS, Span, SpanPlanner
from xmodal_kedro.params import ClipParams


@given(recordings(), short_spans)
def test_spans_keep_their_length_and_do_not_overlap_inside_the_recording(recording, params):
    spans = plan(recording, params)

    shortest_ms, longest_ms = round(1000 * params.min_s), round(1000 * params.max_s)
    assert all(shortest_ms <= length_ms <= longest_ms for length_ms in lengths_ms(spans))
    assert all(before.end_ms <= after.start_ms for before, after in pairwise(spans))
    assert not spans or (spans[0].start_ms >= 0 and spans[-1].end_ms <= recording.end_ms)


@given(recordings(), short_spans, st.data())
def test_spans_do_not_depend_on_how_much_is_added_at_a_time(recording, params, data):
    planner = SpanPlanner(params)
    parts = st.lists(st.tuples(st.booleans(), st.integers(1, 4000)), max_size=40)
    level_count = seen_ms = 0
    spans: list[Span] = []
    for is_sound, amount_ms in data.draw(parts):
        if is_sound:
            planner.hear(recording.mean_squares[level_count : level_count + amount_ms // BLOCK_MS])
            level_count += amount_ms // BLOCK_MS
        else:
            add_times(planner, recording, seen_ms, seen_ms + amount_ms)
            seen_ms += amount_ms
        settled = planner.settle(seen_ms)
        assert all(span.end_ms <= planner.position_ms for span in settled)
        assert planner.position_ms <= min(BLOCK_MS * level_count, seen_ms)
        spans += settled
    planner.hear(recording.mean_squares[level_count:])
    add_times(planner, recording, seen_ms, recording.end_ms)

    assert spans + planner.finish(recording.end_ms) == plan(recording, params)


@given(recordings(), short_spans)
def test_a_span_crosses_a_cut_only_between_shots_that_are_too_short_for_a_span(recording, params):
    params = params.model_copy(update={"coverage": "shots"})
    shots = shots_of(recording)

    for span in plan(recording, params):
        shown = [shot for shot in shots if shot.start_ms < span.end_ms and span.start_ms < shot.end_ms]
        shortest_ms = round(1000 * params.min_s)
        assert len(shown) == 1 or all(shot.end_ms - shot.start_ms < shortest_ms for shot in shown)


@given(recordings(), short_spans)
def test_everything_is_covered_wherever_some_number_of_spans_adds_up(recording, params):
    params = params.model_copy(update={"coverage": "everything"})
    shortest_ms, longest_ms = round(1000 * params.min_s), round(1000 * params.max_s)
    count = -(-recording.end_ms // longest_ms)
    assume(count * shortest_ms <= recording.end_ms)
    spread_ms = max(longest_ms - shortest_ms, 1)
    always_a_sum_ms = -(-shortest_ms // spread_ms) * shortest_ms  # this and all larger lengths are sums of spans
    assume(recording.end_ms <= OPEN_SPANS * longest_ms or always_a_sum_ms <= MAX_UNDECIDED_SPANS * longest_ms)

    assert sum(lengths_ms(plan(recording, params))) == recording.end_ms


sums_of_spans_ms = st.one_of(st.integers(3_000, 5_000), st.integers(6_000, 15_000))


@given(st.lists(sums_of_spans_ms, min_size=1, max_size=15))
def test_covering_everything_crosses_no_cut_if_every_shot_is_a_sum_of_spans(shot_lengths_ms):
    *cuts, end_ms = np.cumsum(shot_lengths_ms).tolist()

    spans = plan(loud(end_ms, cuts, list(range(0, end_ms, 2_700))), ClipParams(coverage="everything"))

    assert {span.start_ms for span in spans} >= {0, *cuts}
