"""Where clips lie in a recording."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.media.planning import LOUD, SILENT, Recording, edges, lengths_ms, loud, plan
from xmodal_kedro.media.spans import pick_spread, rms_dbfs
from xmodal_kedro.params import ClipParams


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


@pytest.mark.parametrize(("keyframe_ms", "starts"), [(11_500, [12_000]), (0, [])])
def test_the_last_keyframe_of_an_earlier_shot_is_remembered(keyframe_ms, starts):
    mean_squares = np.full(160, LOUD)
    mean_squares[120:157] = SILENT  # a second shot with so little sound that the cost of decoding decides

    spans = plan(Recording(16_000, mean_squares, [12_000], [keyframe_ms]))

    assert [span.start_ms for span in spans if span.end_ms == 16_000] == starts


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
