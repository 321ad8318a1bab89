"""Positions of clips in a recording, their levels, and the choice of their frames."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from xmodal_kedro.media.arrangement import Lengths, Stretch, arrange
from xmodal_kedro.params import ClipParams
from xmodal_kedro.pcm import INT16_FULL_SCALE

BLOCK_MS = 100
"""The level of audio is measured in blocks of this length."""

OPEN_SPANS = 8
"""A stretch whose end is not known yet is planned once its known part is as long as so many of the longest spans, such
as 40 s for spans of at most 5 s."""

UNDECIDED_SPANS = 2
"""The end of that part, so many of the longest spans, is planned again together with what follows."""

MAX_UNDECIDED_SPANS = 6
"""Max of that end, where shortest and longest span are so close that few lengths are sums of spans."""


@dataclass(frozen=True)
class Span:
    """A part of a recording, whole milliseconds from its start, so that ids and sample positions are exact."""

    start_ms: int
    end_ms: int

    @property
    def start_s(self) -> float:
        return self.start_ms / 1000

    @property
    def end_s(self) -> float:
        return self.end_ms / 1000


class SpanPlanner:
    """Places spans while a recording is read once. Only the undecided end of the recording is kept.

    A recording is divided at its cuts into shots. With coverage `shots`, a shot of at least `min_s` is planned by
    itself. A run of shorter ones is planned as one, across the cuts between them, or left out if even the run is
    shorter. With coverage `everything`, the recording is planned as one, and spans begin and end at cuts where that
    leaves nothing out. Long stretches are settled piece by piece. The spans depend on the content of the recording, not
    on how much of it is added at a time.

    Attributes:
        position_ms: where the undecided part begins: no later span starts before it.
    """

    def __init__(self, params: ClipParams) -> None:
        self.position_ms = 0
        self._params = params
        self._lengths = Lengths.of(params)
        self._levels: list[np.ndarray] = []
        self._levels_from_ms = self._levels_until_ms = 0
        self._last_cut_ms = -BLOCK_MS
        self._cuts: list[int] = []
        self._keyframes: list[int] = []

    def hear(self, mean_squares: np.ndarray) -> None:
        """Add the levels of the next blocks: mean squares, float [blocks of BLOCK_MS], full scale 1.0."""
        self._levels.append(np.asarray(mean_squares, np.float64))
        self._levels_until_ms += BLOCK_MS * len(mean_squares)

    def cut(self, time_ms: int) -> None:
        """Add a hard cut between shots. A cut less than BLOCK_MS after the last one is ignored."""
        if time_ms >= self._last_cut_ms + BLOCK_MS:
            self._last_cut_ms = time_ms
            self._cuts.append(time_ms)

    def keyframe(self, time_ms: int) -> None:
        """Add a keyframe. A keyframe less than BLOCK_MS after the last one is ignored."""
        if not self._keyframes or time_ms >= self._keyframes[-1] + BLOCK_MS:
            self._keyframes.append(time_ms)

    def settle(self, seen_until_ms: int) -> list[Span]:
        """Spans that have become settled since the last call, ascending.

        Args:
            seen_until_ms: all cuts and keyframes before this time have been added. Less than before changes nothing.
        """
        return self._settle(min(self._levels_until_ms, seen_until_ms), ended=False)

    def finish(self, end_ms: int) -> list[Span]:
        """The remaining spans, for audio that ends at `end_ms`. An incomplete block gets the level of the last one.

        Raises:
            ValueError: if the end is before what is settled.
        """
        if end_ms < self.position_ms:
            raise ValueError(
                f"end_ms is {end_ms}, but spans are settled up to {self.position_ms} ms: pass the true end"
            )
        return self._settle(end_ms, ended=True)

    def _settle(self, known_ms: int, ended: bool) -> list[Span]:
        settled: list[Span] = []
        while stretch := self._next_stretch(known_ms, ended):
            end_ms, goes_on = stretch
            decided_ms = end_ms - self._undecided_ms() if goes_on else end_ms
            for start_ms, stop_ms in arrange(self._stretch_to(end_ms, goes_on), self._params):
                if stop_ms > decided_ms:
                    decided_ms = min(decided_ms, start_ms)
                    break
                settled.append(Span(start_ms, stop_ms))
            self._move_to(decided_ms)
        return settled

    def _next_stretch(self, known_ms: int, ended: bool) -> tuple[int, bool] | None:
        """End of the stretch to be planned next, and whether it continues after it; None if too little is known.

        Looks at most OPEN_SPANS ahead, independent of how much is known.
        """
        horizon_ms = self.position_ms + OPEN_SPANS * self._lengths.longest
        until_ms = min(known_ms, horizon_ms)
        if until_ms <= self.position_ms:
            return None
        cuts = [] if self._params.coverage == "everything" else _between(self._cuts, self.position_ms, until_ms)
        shots = pairwise([self.position_ms, *cuts, until_ms])
        long_shot = next((shot for shot in shots if shot[1] - shot[0] >= self._lengths.shortest), None)
        if long_shot and long_shot[0] > self.position_ms:
            return long_shot[0], False
        if long_shot and cuts:
            return long_shot[1], False
        if until_ms == horizon_ms:
            return horizon_ms, True
        return (until_ms, False) if ended else None

    def _undecided_ms(self) -> int:
        """How much of an open stretch is planned again: if possible, all longer lengths can be sums of spans."""
        shortest, longest = self._lengths.shortest, self._lengths.longest
        always_a_sum = -(-shortest // (longest - shortest)) * shortest if shortest < longest else math.inf
        return int(min(max(always_a_sum, UNDECIDED_SPANS * longest), MAX_UNDECIDED_SPANS * longest))

    def _stretch_to(self, end_ms: int, goes_on: bool) -> Stretch:
        """The stretch from the position to `end_ms`."""
        levels = self._levels_from_position()[: -(-(end_ms - self._levels_from_ms) // BLOCK_MS)]
        times = self._levels_from_ms + BLOCK_MS * np.arange(len(levels) + 1)
        return Stretch(
            self.position_ms,
            end_ms,
            goes_on,
            np.append(times, max(times[-1], end_ms)),
            np.append(levels, levels[-1] if len(levels) else 0.0),
            np.array(_between(self._cuts, self.position_ms, end_ms), np.int64),
            np.array(self._keyframes[: bisect_left(self._keyframes, end_ms)], np.int64),
        )

    def _levels_from_position(self) -> np.ndarray:
        """Levels from the block that holds the position; those before it are dropped."""
        levels = np.concatenate([np.empty(0), *self._levels])
        passed = min((self.position_ms - self._levels_from_ms) // BLOCK_MS, len(levels))
        self._levels = [levels[passed:]]
        self._levels_from_ms += BLOCK_MS * passed
        return self._levels[0]

    def _move_to(self, position_ms: int) -> None:
        """Move the position, and drop cuts and keyframes before it, except for the last keyframe."""
        self.position_ms = position_ms
        del self._cuts[: bisect_right(self._cuts, position_ms)]
        del self._keyframes[: max(bisect_left(self._keyframes, position_ms) - 1, 0)]


def _between(times: list[int], after: int, before: int) -> list[int]:
    return times[bisect_right(times, after) : bisect_left(times, before)]


def rms_dbfs(audio: np.ndarray) -> float:
    """Root-mean-square level of int16 samples about their mean, decibels relative to full scale.

    A constant offset, which is inaudible, does not count. Minus infinity for silence.
    """
    variance = float(np.var(audio, dtype=np.float64)) if audio.size else 0.0
    return 10 * math.log10(variance / INT16_FULL_SCALE**2) if variance else -math.inf


def pick_spread(times_s: Sequence[float], start_s: float, end_s: float, count: int) -> list[int]:
    """Indices of at most `count` of the ascending `times_s` from start to end, spread as evenly as possible."""
    inside = list(range(bisect_left(times_s, start_s), bisect_left(times_s, end_s)))
    if len(inside) <= count:
        return inside
    wanted_s = [start_s + (end_s - start_s) * (place + 0.5) / count for place in range(count)]
    picked = {min(inside, key=lambda index: abs(times_s[index] - wanted)) for wanted in wanted_s}
    return sorted(picked)
