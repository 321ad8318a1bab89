"""The best way to divide one stretch of a recording into spans."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from xmodal_kedro.params import ClipParams

GRID_MS = 100
"""Spans begin and end at keyframes, or on a grid of this width from the start of the stretch and from each cut."""

# The worth of spans is counted in milliseconds of audio that is not silent.

SILENCE_WORTH = 0.05
"""Worth of each millisecond of a span that is silent as a whole. It is dropped, but must be counted as silent."""

PAUSE_WORTH = 0.02
"""Worth of each silent millisecond of a span that is not silent: less, so that spans fit the audible parts."""

DECODING_COST_MS_PER_S = 100.0
"""Cost of a span without a keyframe, for each second from the last keyframe to its start, which must be decoded."""

LENGTH_COST = 0.08
"""Cost as a fraction of the target length, times the squared relative distance: 20 ms at 1 s from a target of 4 s."""

EDGE_AT_CUT_WORTH_MS = {"shots": 100.0, "everything": 1e4}
"""Worth of an edge that lies on a cut, by coverage. With `everything`, only coverage outweighs it."""

UNCOVERED_COST = {"shots": 0.0, "everything": 1e8}
"""Cost of each millisecond that no span covers, by coverage. With `everything`, it outweighs all else."""

STEPS_PER_MS = 1000
"""Worths are rounded to so many steps and added as integers, so that equally good results tie on every machine."""


@dataclass(frozen=True)
class Lengths:
    """Min, preferred and max length of spans, whole milliseconds."""

    shortest: int
    target: int
    longest: int

    @classmethod
    def of(cls, params: ClipParams) -> Lengths:
        return cls(*(max(round(1000 * length_s), 1) for length_s in (params.min_s, params.target_s, params.max_s)))


@dataclass(frozen=True)
class Stretch:
    """A part of a recording that is divided independently. All times are milliseconds from the recording's start.

    Attributes:
        start_ms: where it begins.
        end_ms: where its known part ends.
        goes_on: whether it continues after `end_ms`. Then its last span need not end there.
        sound_times: limits of the blocks of audio, from its start or before to its end or after: [levels + 1].
        mean_squares: levels of the blocks between those times, full scale 1.0: [levels].
        cuts: cuts between shots inside the stretch, ascending.
        keyframes: keyframes in the stretch and the last one before it, ascending; empty if there is no video.
    """

    start_ms: int
    end_ms: int
    goes_on: bool
    sound_times: np.ndarray
    mean_squares: np.ndarray
    cuts: np.ndarray
    keyframes: np.ndarray


def arrange(stretch: Stretch, params: ClipParams) -> list[tuple[int, int]]:
    """Start and end of the spans with the largest total worth: ascending, without overlap, milliseconds."""
    lengths = Lengths.of(params)
    if stretch.end_ms - stretch.start_ms < lengths.shortest:
        return []
    edges = _edges(stretch, lengths)
    first = np.searchsorted(edges, edges - lengths.longest)
    last = np.searchsorted(edges, edges - lengths.shortest, side="right")
    starts = np.minimum(first[:, None] + np.arange(max((last - first).max(), 1)), len(edges) - 1)
    worths = np.rint(STEPS_PER_MS * _worths(stretch, edges, starts, params)).astype(np.int64)
    to_cover = np.minimum(edges, stretch.end_ms - lengths.longest) if stretch.goes_on else edges
    costs = to_cover * round(STEPS_PER_MS * UNCOVERED_COST[params.coverage])
    return [(int(edges[start]), int(edges[end])) for start, end in best_chain(first, last, worths, costs)]


def even_edges(length_ms: int, lengths: Lengths) -> np.ndarray:
    """Edges of equal spans that cover most and then are nearest to the target length: int64 [spans + 1], or none."""
    most = length_ms // lengths.shortest
    if not most:
        return np.empty(0, np.int64)
    fewest = -(-length_ms // lengths.longest)
    near_target = length_ms // lengths.target
    counts = [min(max(count, fewest), most) for count in (near_target, near_target + 1)]
    count = min(counts, key=lambda count: abs(length_ms / count - lengths.target))
    return np.arange(count + 1) * min(length_ms, count * lengths.longest) // count


def _edges(stretch: Stretch, lengths: Lengths) -> np.ndarray:
    """Times where spans may begin and end, ascending: int64 [edges].

    They are: a grid in each shot; equal lengths in each shot and in the whole stretch, which fill it if any lengths do;
    keyframes and 1 ms after them, so that one span may end with a keyframe and the next begin after it.
    """
    whole = even_edges(stretch.end_ms - stretch.start_ms, lengths)
    times = [stretch.keyframes[stretch.keyframes > stretch.start_ms] + after for after in (0, 1)]
    for start_ms, end_ms in pairwise([stretch.start_ms, *stretch.cuts.tolist(), stretch.end_ms]):
        times += [np.arange(start_ms, end_ms, GRID_MS), start_ms + even_edges(end_ms - start_ms, lengths)]
    return np.unique(np.concatenate([*times, stretch.start_ms + whole, [stretch.end_ms]]))


def _worths(stretch: Stretch, edges: np.ndarray, starts: np.ndarray, params: ClipParams) -> np.ndarray:
    """Worth of every possible span, milliseconds [edges, starts].

    Args:
        stretch: the stretch to divide.
        edges: times where spans may begin and end: [edges].
        starts: for each edge as an end, indices into `edges` of the starts: [edges, starts].
        params: `clip`.
    """
    silence = 10 ** (params.silence_dbfs / 10)
    target_ms = Lengths.of(params).target
    lengths = edges[:, None] - edges[starts]
    energy = _change(_total(stretch, stretch.mean_squares, edges), starts)
    sounding = _change(_total(stretch, stretch.mean_squares >= silence, edges), starts)
    has_keyframe = _change(np.searchsorted(stretch.keyframes, edges), starts) > 0
    decoding = np.where(has_keyframe, 0.0, _decoding_costs(stretch, edges, params)[starts])
    as_clip = (1 - PAUSE_WORTH) * sounding + PAUSE_WORTH * lengths - decoding
    worth = np.where(energy < silence * lengths, SILENCE_WORTH * lengths, as_clip)
    on_cut = EDGE_AT_CUT_WORTH_MS[params.coverage] * np.isin(edges, stretch.cuts)
    return worth - LENGTH_COST * (lengths - target_ms) ** 2 / target_ms + on_cut[:, None] + on_cut[starts]


def _change(at_edges: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Difference of a cumulative value between ends and starts: [edges, starts]."""
    return at_edges[:, None] - at_edges[starts]


def _total(stretch: Stretch, rates: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Integral of the blocks' rates over time up to each edge: [edges]."""
    totals = np.cumsum([0.0, *(rates * np.diff(stretch.sound_times))])
    return np.interp(edges, stretch.sound_times, totals)


def _decoding_costs(stretch: Stretch, edges: np.ndarray, params: ClipParams) -> np.ndarray:
    """Cost of decoding from the last keyframe to each edge, for spans that start there and hold no keyframe: [edges].

    At most the length of the longest span is counted, as decoding can often continue from an earlier span.
    """
    if not len(stretch.keyframes):
        return np.zeros(len(edges))
    before = np.searchsorted(stretch.keyframes, edges, side="right") - 1
    away_s = np.where(before < 0, np.inf, edges - stretch.keyframes[before]) / 1000
    return DECODING_COST_MS_PER_S * np.minimum(away_s, params.max_s)


def best_chain(first: np.ndarray, last: np.ndarray, worths: np.ndarray, costs: np.ndarray) -> list[tuple[int, int]]:
    """The spans with the largest total worth, by dynamic programming over the edges.

    Of chains of equal worth, the one whose spans end earlier is taken, then the one whose last spans are longer.

    Args:
        first: for each edge as an end, the first edge where a span may start: int [edges].
        last: one after the last edge where it may start, at most the end itself: int [edges].
        worths: worth of the spans that start at `first` and after: int64 [edges, starts].
        costs: cost of covering nothing from the first edge to each: int64 [edges].

    Returns:
        Start and end edge of each span, ascending.
    """
    best = np.zeros(len(costs), np.int64)
    comes_from = [-1] * len(costs)
    steps = np.diff(costs).tolist()
    for end, (start, stop) in enumerate(zip(first[1:].tolist(), last[1:].tolist(), strict=True), start=1):
        best[end] = best[end - 1] - steps[end - 1]
        if start < stop:
            sums = best[start:stop] + worths[end, : stop - start]
            pick = int(sums.argmax())
            if sums[pick] > best[end]:
                best[end], comes_from[end] = sums[pick], start + pick
    chain: list[tuple[int, int]] = []
    end = len(costs) - 1
    while end > 0:
        start = comes_from[end]
        if start >= 0:
            chain.append((start, end))
        end = start if start >= 0 else end - 1
    return chain[::-1]
