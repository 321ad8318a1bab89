"""Random recordings as inputs of a span planner, and the spans that it returns."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from xmodal_kedro.media.spans import BLOCK_MS, Span, SpanPlanner
from xmodal_kedro.params import ClipParams

LOUD, SILENT = 0.01, 0.0


class Recording(NamedTuple):
    """Input of a planner: mean squares of blocks, cuts and keyframes, and the end; milliseconds."""

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
    levels = np.resize(blocks, end_ms // BLOCK_MS) if blocks.size else np.full(end_ms // BLOCK_MS, LOUD)
    return Recording(end_ms, levels, draw(times), draw(times))


short_spans = clip_params(shortest_ms=300, longest_ms=1500)


def loud(end_ms: int, cuts: list[int] | None = None, keyframes: list[int] | None = None) -> Recording:
    return Recording(end_ms, np.full(end_ms // BLOCK_MS, LOUD), cuts or [], keyframes or [])


def add_times(planner: SpanPlanner, recording: Recording, start_ms: int, end_ms: int) -> None:
    """Add all cuts and keyframes in a part of the recording."""
    for time_ms in recording.cuts:
        if start_ms <= time_ms < end_ms:
            planner.cut(time_ms)
    for time_ms in recording.keyframes:
        if start_ms <= time_ms < end_ms:
            planner.keyframe(time_ms)


def plan(recording: Recording, params: ClipParams | None = None) -> list[Span]:
    """Spans if the whole recording is added first."""
    planner = SpanPlanner(params or ClipParams())
    planner.hear(recording.mean_squares)
    add_times(planner, recording, 0, recording.end_ms)
    return planner.finish(recording.end_ms)


def edges(spans: list[Span]) -> list[tuple[int, int]]:
    return [(span.start_ms, span.end_ms) for span in spans]


def lengths_ms(spans: list[Span]) -> list[int]:
    return [span.end_ms - span.start_ms for span in spans]


def shots_of(recording: Recording) -> list[Span]:
    inside = [time_ms for time_ms in recording.cuts if 0 < time_ms < recording.end_ms]
    return [Span(*shot) for shot in pairwise([0, *inside, recording.end_ms])]
