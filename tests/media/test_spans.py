"""Where clips lie in a recording."""

from __future__ import annotations

import math
import pickle
import time
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from xmodal_kedro.media.spans import (
    BLOCK_MS,
    MOST_UNDECIDED_SPANS,
    OPEN_SPANS,
    Span,
    SpanPlanner,
    pick_spread,
    rms_dbfs,
)
from xmodal_kedro.params import ClipParams

LOUD, SILENT = 0.01, 0.0


class Recording(NamedTuple):
    """What a planner may be told: mean squares of blocks, cuts and keyframes, and the end; milliseconds."""

    end_ms: int
    mean_squares: np.ndarray
    cuts: list[int]
    keyframes: list[int]


@st.composite
def clip_params(draw: st.DrawFn, shortest_ms: int = 500, longest_ms: int = 20_000) -> ClipParams:
    lengths_ms = sorted(draw(st.lists(st.integers(shortest_ms, longest_ms), min_size=3, max_size=3)))
    min_s, target_s, max_s = (length_ms / 1000 for length_ms in lengths_ms)
    return ClipParams(
        min_s=min_s, target_s=target_s, max_s=max_s, coverage=draw(st.sampled_from(["shots", "everything"]))
    )


@st.composite
def recordings(draw: st.DrawFn) -> Recording:
    """Up to 30 s: many open stretches of the lengths in `short_spans`."""
    end_ms = draw(st.integers(0, 30_000))
    times = st.lists(st.integers(BLOCK_MS, 4_000), max_size=30).map(lambda steps_ms: np.cumsum(steps_ms).tolist())
    levels = draw(st.lists(st.tuples(st.sampled_from([LOUD, 1e-5, 1e-8, SILENT]), st.integers(1, 60)), max_size=20))
    blocks = np.repeat([level for level, _ in levels], [count for _, count in levels])
    heard = np.resize(blocks, end_ms // BLOCK_MS) if blocks.size else np.full(end_ms // BLOCK_MS, LOUD)
    return Recording(end_ms, heard, draw(times), draw(times))


short_spans = clip_params(shortest_ms=300, longest_ms=1500)


def loud(end_ms: int, cuts: list[int] | None = None, keyframes: list[int] | None = None) -> Recording:
    return Recording(end_ms, np.full(end_ms // BLOCK_MS, LOUD), cuts or [], keyframes or [])


def tell(planner: SpanPlanner, recording: Recording, start_ms: int, end_ms: int) -> None:
    """All cuts and keyframes in a part of the recording."""
    for time_ms in recording.cuts:
        if start_ms <= time_ms < end_ms:
            planner.cut(time_ms)
    for time_ms in recording.keyframes:
        if start_ms <= time_ms < end_ms:
            planner.keyframe(time_ms)


def plan(recording: Recording, params: ClipParams | None = None) -> list[Span]:
    """Spans if all is told before any is asked for."""
    planner = SpanPlanner(params or ClipParams())
    planner.hear(recording.mean_squares)
    tell(planner, recording, 0, recording.end_ms)
    return planner.finish(recording.end_ms)


def edges(spans: list[Span]) -> list[tuple[int, int]]:
    return [(span.start_ms, span.end_ms) for span in spans]


def lengths_ms(spans: list[Span]) -> list[int]:
    return [span.end_ms - span.start_ms for span in spans]


def shots_of(recording: Recording) -> list[Span]:
    inside = [time_ms for time_ms in recording.cuts if 0 < time_ms < recording.end_ms]
    return [Span(*shot) for shot in pairwise([0, *inside, recording.end_ms])]


@given(recordings(), short_spans)
def test_spans_keep_their_length_and_do_not_overlap_inside_the_recording(recording, params):
    spans = plan(recording, params)

    shortest_ms, longest_ms = round(1000 * params.min_s), round(1000 * params.max_s)
    assert all(shortest_ms <= length_ms <= longest_ms for length_ms in lengths_ms(spans))
    assert all(before.end_ms <= after.start_ms for before, after in pairwise(spans))
    assert not spans or (spans[0].start_ms >= 0 and spans[-1].end_ms <= recording.end_ms)


@given(recordings(), short_spans, st.data())
def test_spans_do_not_depend_on_how_much_is_told_at_a_time(recording, params, data):
    planner = SpanPlanner(params)
    told = st.lists(st.tuples(st.booleans(), st.integers(1, 4000)), max_size=40)
    heard = seen_ms = 0
    spans: list[Span] = []
    for is_sound, amount_ms in data.draw(told):
        if is_sound:
            planner.hear(recording.mean_squares[heard : heard + amount_ms // BLOCK_MS])
            heard += amount_ms // BLOCK_MS
        else:
            tell(planner, recording, seen_ms, seen_ms + amount_ms)
            seen_ms += amount_ms
        settled = planner.settle(seen_ms)
        assert all(span.end_ms <= planner.position_ms for span in settled)
        assert planner.position_ms <= min(BLOCK_MS * heard, seen_ms)
        spans += settled
    planner.hear(recording.mean_squares[heard:])
    tell(planner, recording, seen_ms, recording.end_ms)

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
    always_a_sum_ms = -(-shortest_ms // spread_ms) * shortest_ms  # of that many spans or more, and so is all above it
    assume(recording.end_ms <= OPEN_SPANS * longest_ms or always_a_sum_ms <= MOST_UNDECIDED_SPANS * longest_ms)

    assert sum(lengths_ms(plan(recording, params))) == recording.end_ms


sums_of_spans_ms = st.one_of(st.integers(3_000, 5_000), st.integers(6_000, 15_000))


@given(st.lists(sums_of_spans_ms, min_size=1, max_size=15))
def test_covering_everything_crosses_no_cut_if_every_shot_is_a_sum_of_spans(shot_lengths_ms):
    *cuts, end_ms = np.cumsum(shot_lengths_ms).tolist()

    spans = plan(loud(end_ms, cuts, list(range(0, end_ms, 2_700))), ClipParams(coverage="everything"))

    assert {span.start_ms for span in spans} >= {0, *cuts}


def test_covering_everything_leaves_nothing_out_where_few_lengths_add_up():
    params = ClipParams(min_s=3.0, target_s=3.0, max_s=3.02, coverage="everything")

    assert sum(lengths_ms(plan(loud(6_030, [1_000]), params))) == 6_030


def test_covering_everything_crosses_a_cut_where_a_shot_is_no_sum_of_spans():
    spans = plan(loud(20_000, [8_000, 10_000]), ClipParams(coverage="everything"))

    assert sum(lengths_ms(spans)) == 20_000
    crossed = [span for span in spans if any(span.start_ms < cut < span.end_ms for cut in (8_000, 10_000))]
    assert len(crossed) == 1


def test_a_run_of_short_shots_is_planned_as_one():
    spans = plan(loud(22_000, [10_000, 11_000, 12_500, 14_000]))

    assert edges(spans)[-3:] == [(10_000, 14_000), (14_000, 18_000), (18_000, 22_000)]


def test_a_run_that_is_too_short_for_a_span_is_left_out():
    spans = plan(loud(22_900, [10_000, 11_000, 12_900]))

    assert all(span.end_ms <= 10_000 or span.start_ms >= 12_900 for span in spans)
    assert plan(loud(2_999)) == []


def test_shots_that_are_shorter_than_a_span_for_ever_are_used():
    spans = plan(loud(600_000, list(range(2_000, 600_000, 2_000))))

    assert edges(spans) == [(start, start + 4_000) for start in range(0, 600_000, 4_000)]


@pytest.mark.parametrize("end_ms", [10_000, 10_020])
def test_ten_seconds_with_two_keyframes_become_two_spans_with_a_keyframe_each(end_ms):
    assert edges(plan(loud(end_ms, keyframes=[0, 8_330]))) == [(0, 5_000), (5_000, 10_000)]


def test_with_a_keyframe_every_second_spans_have_the_target_length():
    spans = plan(loud(120_000, keyframes=list(range(0, 120_000, 1_000))))

    assert lengths_ms(spans) == [4_000] * 30


def test_most_spans_hold_a_keyframe_or_begin_just_after_one_where_that_can_be():
    keyframes = list(range(0, 300_000, 8_330))

    spans = plan(loud(300_000, keyframes=keyframes))

    cheap = [span for span in spans if any(span.start_ms - 100 <= key < span.end_ms for key in keyframes)]
    assert len(cheap) >= 0.95 * len(spans)
    assert sum(lengths_ms(spans)) >= 0.99 * 300_000


@pytest.mark.parametrize(
    ("end_ms", "expected_ms"),
    [(2_999, []), (3_000, [3_000]), (4_900, [4_900]), (5_500, [5_000]), (8_000, [4_000] * 2), (12_000, [4_000] * 3)],
)
def test_sound_alone_is_divided_into_spans_near_the_target(end_ms, expected_ms):
    assert lengths_ms(plan(loud(end_ms))) == expected_ms


def test_a_shot_that_is_longer_than_its_only_span_gives_the_part_with_most_sound():
    mean_squares = np.full(58, LOUD)
    mean_squares[:6] = SILENT

    assert edges(plan(Recording(5_800, mean_squares, [], [0]))) == [(600, 5_600)]


@pytest.mark.parametrize("keyframes", [[], list(range(0, 60_000, 2_000))])
def test_sound_in_a_long_silence_is_covered_by_few_spans_that_fit_it(keyframes):
    mean_squares = np.full(600, SILENT)
    mean_squares[200:290] = LOUD

    spans = edges(plan(Recording(60_000, mean_squares, [], keyframes)))

    sounding = [span for span in spans if span[0] < 29_000 and span[1] > 20_000]
    assert len(sounding) == 2
    assert sounding[0][0] == 20_000 and sounding[0][1] == sounding[1][0] and sounding[1][1] == 29_000
    assert sum(end - start for start, end in spans) == 60_000, "silence has spans too, to be counted"


def test_what_is_quieter_than_silence_dbfs_is_no_sound():
    mean_squares = np.full(58, 1e-3)  # -30 dBFS
    mean_squares[:6] = 1e-5  # -50 dBFS
    recording = Recording(5_800, mean_squares, [], [])

    assert edges(plan(recording, ClipParams(silence_dbfs=-60))) == [(0, 5_000)]
    assert edges(plan(recording, ClipParams(silence_dbfs=-40))) == [(600, 5_600)]


def test_a_long_shot_is_settled_while_it_goes_on():
    planner = SpanPlanner(ClipParams())
    planner.hear(np.full(400, LOUD))

    assert planner.settle(39_999) == []
    assert edges(planner.settle(40_000)) == [(start, start + 4_000) for start in range(0, 28_000, 4_000)]
    assert planner.position_ms == 28_000


def test_nothing_is_settled_before_it_is_heard():
    planner = SpanPlanner(ClipParams())
    planner.cut(12_000)

    assert planner.settle(60_000) == []
    planner.hear(np.full(130, LOUD))
    assert edges(planner.settle(60_000)) == [(0, 4_000), (4_000, 8_000), (8_000, 12_000)]


def test_a_shot_is_settled_when_its_end_is_seen():
    planner = SpanPlanner(ClipParams())
    planner.hear(np.full(130, LOUD))
    planner.cut(12_000)

    assert planner.settle(12_000) == []
    assert edges(planner.settle(12_001)) == [(0, 4_000), (4_000, 8_000), (8_000, 12_000)]


@pytest.mark.parametrize(("keyframe_ms", "starts"), [(11_500, [12_000]), (0, [])])
def test_the_last_keyframe_of_an_earlier_shot_is_remembered(keyframe_ms, starts):
    mean_squares = np.full(160, LOUD)
    mean_squares[120:157] = SILENT  # a second shot with so little sound that it depends on what its pictures cost

    spans = plan(Recording(16_000, mean_squares, [12_000], [keyframe_ms]))

    assert [span.start_ms for span in spans if span.end_ms == 16_000] == starts


def test_cuts_and_keyframes_out_of_order_are_ignored():
    planner = SpanPlanner(ClipParams())
    planner.hear(np.full(100, LOUD))
    for time_ms in (6_000, 6_000, 3_000, 0, -5, 6_099):
        planner.cut(time_ms)
    for time_ms in (0, 8_330, 8_330, 4_000):
        planner.keyframe(time_ms)

    assert planner.finish(10_000) == plan(loud(10_000, [6_000], [0, 8_330]))


def test_an_end_before_settled_spans_is_an_error():
    planner = SpanPlanner(ClipParams())
    planner.hear(np.full(500, LOUD))
    planner.settle(50_000)

    with pytest.raises(ValueError, match="end_ms is 20000, but spans are settled up to 28000 ms"):
        planner.finish(20_000)


@pytest.mark.parametrize("cut_every_s", [None, 1, 7])
def test_two_hours_take_little_time_and_memory(cut_every_s):
    planner = SpanPlanner(ClipParams())
    second = np.full(10, LOUD)
    cpu_s, sizes, count = time.process_time(), [], 0
    for time_s in range(7_200):
        planner.hear(second)
        planner.keyframe(1000 * time_s)
        planner.keyframe(1000 * time_s + 500)
        if cut_every_s and time_s % cut_every_s == 0:
            planner.cut(1000 * time_s + 300)
        count += len(planner.settle(1000 * (time_s + 1)))
        if time_s % 60 == 0:
            sizes.append(len(pickle.dumps(planner)))
    count += len(planner.finish(7_200_000))

    assert time.process_time() - cpu_s < 7_200 * 0.3e-3
    assert max(sizes) < 30_000
    assert count >= 7_200 / 5


def test_level_is_relative_to_full_scale():
    square_wave = np.array([16_384, -16_384] * 100, np.int16)

    assert rms_dbfs(square_wave) == pytest.approx(-6.02, abs=0.01)
    assert rms_dbfs(np.zeros(100, np.int16)) == -math.inf
    assert rms_dbfs(np.empty(0, np.int16)) == -math.inf


def test_a_constant_offset_is_no_sound():
    assert rms_dbfs(np.full(100, -32_768, np.int16)) == -math.inf


def test_pictures_are_picked_from_the_span_and_spread_over_it():
    times_s = [3.9, 4.0, 4.2, 5.0, 6.1, 7.0, 8.0]

    assert pick_spread(times_s, 4.0, 8.0, 2) == [3, 5]
    assert pick_spread(times_s, 4.0, 8.0, 9) == [1, 2, 3, 4, 5]
    assert pick_spread(times_s, 9.0, 12.0, 2) == []
