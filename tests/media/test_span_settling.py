"""Spans of a recording that continues: settled as early as possible, and never changed later."""

from __future__ import annotations

import pickle
import time

import numpy as np
import pytest

from tests.media.planning import LOUD, edges, loud, plan
from xmodal_kedro.media.spans import SpanPlanner
from xmodal_kedro.params import ClipParams


def test_a_long_shot_is_settled_while_it_goes_on():
    planner = SpanPlanner(ClipParams())
    planner.hear(np.full(400, LOUD))

    assert planner.settle(39_999) == []
    assert edges(planner.settle(40_000)) == [(start, start + 4_000) for start in range(0, 28_000, 4_000)]
    assert planner.position_ms == 28_000


def test_nothing_is_settled_before_its_audio_is_added():
    planner = SpanPlanner(ClipParams())
    planner.cut(12_000)

    assert planner.settle(60_000) == []
    planner.hear(np.full(130, LOUD))
    assert edges(planner.settle(60_000)) == [(0, 4_000), (4_000, 8_000), (8_000, 12_000)]


def test_a_shot_is_settled_when_its_end_is_known():
    planner = SpanPlanner(ClipParams())
    planner.hear(np.full(130, LOUD))
    planner.cut(12_000)

    assert planner.settle(12_000) == []
    assert edges(planner.settle(12_001)) == [(0, 4_000), (4_000, 8_000), (8_000, 12_000)]


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
