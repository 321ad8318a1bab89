"""Where clips lie in a recording, how loud they are, and which pictures show them."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from xmodal_kedro.params import ClipParams
from xmodal_kedro.schemas import INT16_FULL_SCALE


@dataclass(frozen=True)
class Span:
    """A part of a recording, in milliseconds from its start: whole ones, so that ids and sample positions are exact."""

    start_ms: int
    end_ms: int

    @property
    def start_s(self) -> float:
        return self.start_ms / 1000

    @property
    def end_s(self) -> float:
        return self.end_ms / 1000


def plan_spans(duration_s: float, params: ClipParams) -> list[Span]:
    """Cut a recording into spans of equal length, back to back, as near to `target_s` as covers most of it.

    Every millisecond is covered wherever some number of spans between `min_s` and `max_s` adds up to the duration;
    else the end that fits no span is left over. A recording shorter than `min_s` has no span.
    """
    total_ms = math.floor(duration_s * 1000)
    shortest_ms, longest_ms = (max(round(length_s * 1000), 1) for length_s in (params.min_s, params.max_s))
    most = total_ms // shortest_ms
    if not most:
        return []
    fewest = -(-total_ms // longest_ms)
    near_target = int(duration_s / params.target_s)
    counts = [min(max(count, fewest), most) for count in (near_target, near_target + 1)]
    count = min(counts, key=lambda count: abs(duration_s / count - params.target_s))
    covered_ms = min(total_ms, count * longest_ms)
    edges = [index * covered_ms // count for index in range(count + 1)]
    return [Span(start, end) for start, end in pairwise(edges)]


def rms_dbfs(audio: np.ndarray) -> float:
    """Root-mean-square level of int16 samples, decibels relative to full scale; minus infinity for digital silence."""
    mean_square = float(np.mean(np.square(audio, dtype=np.float64))) if audio.size else 0.0
    return 10 * math.log10(mean_square / INT16_FULL_SCALE**2) if mean_square else -math.inf


def pick_spread(times_s: Sequence[float], span: Span, count: int) -> list[int]:
    """Indices of at most `count` of the ascending `times_s` within the span, spread as evenly over it as they allow."""
    inside = list(range(bisect_left(times_s, span.start_s), bisect_left(times_s, span.end_s)))
    if len(inside) <= count:
        return inside
    length_s = span.end_s - span.start_s
    wanted_s = [span.start_s + length_s * (place + 0.5) / count for place in range(count)]
    picked = {min(inside, key=lambda index: abs(times_s[index] - wanted)) for wanted in wanted_s}
    return sorted(picked)
