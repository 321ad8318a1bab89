"""Where decoded audio lies in time: by its samples, corrected by timestamps only where they disagree for long.

Timestamps of audio are often wrong where the audio is right. Network cameras stamp packets when they arrive, in bursts
or with jitter; single stamps are wrong, or equal. So the number of samples is the clock. Stamps show three things
that samples cannot show: that audio is missing, that a sound card runs fast or slow, and that the clock was set.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Extreme = Callable[[NDArray[np.float64]], np.float64]

TOLERANCE_S, MAX_TOLERANCE_S, TOLERANCE_SHARE = 0.025, 0.04, 0.1
"""A stamp this close to the number of samples agrees with it. With long packets, of which there are few to compare, the
limit is this fraction of them, up to the second value."""

LATE_S = 1.0
"""A stamp is late by the time that its packet waited. Among the stamps of so much audio, one is taken to be on time:
lateness that lasts longer is a change."""

EARLY_S = 0.05
"""Half of a window of audio in which stamps that the other ones outnumber are wrong."""

FIRST_S = 4.0
"""The earliest of late stamps is looked for in so much audio."""

WRONG_S = 0.25
"""A stamp that differs from the ones around it by more is wrong rather than late."""

STEADY_S = 2.0
"""An examination ends when stamps have agreed with each other for so long."""

EXAMINED_S = 12.0
"""Max audio that is examined at once."""

KEPT_S = 4.0
"""The end of that audio, which is examined again together with what follows. More than `LATE_S` and `STALL_S`."""

AGREED = 96
"""Stamps that agreed and are kept to compare others with: about `2 * LATE_S` of the shortest usual packets."""

STALL_S, STALL_RATE = 2.0, 0.1
"""Stamps that advance by less than this rate over so much audio stand still: they say nothing."""

ABRUPT_S = 0.1
"""A repetition is a change back by more than this at one packet. Smaller and slower ones are drift."""

GAP_WITHIN_S = 0.5
"""A change forward is a gap if more than half of it comes within so much audio. A slower one is drift."""

MAX_GAP_S = 3600.0
"""More missing audio than this, in sum, means that the clock was set forward. It is not filled."""

MAX_REPEATED_S = 1.0
"""More audio than this, in sum, for times that already have audio means that the clock was set back. It is all kept."""

MAX_DRIFT_S, MAX_DRIFT_RATE = 5.0, 0.02
"""Drift that removes more audio than so many seconds and this fraction of the audio means that stamps are useless."""


class Edit(NamedTuple):
    """A correction of the audio.

    Attributes:
        at_s: where, in seconds of decoded audio before it.
        change_s: duration of the silence to insert, or, negative, of the audio to remove, seconds.
        is_drift: whether it corrects drift, so that audio is to be stretched or shortened rather than interrupted.
    """

    at_s: float
    change_s: float
    is_drift: bool


class Jump(NamedTuple):
    """A point where the clock was set, and audio goes on.

    Attributes:
        before_s: the stamp that would have come next.
        after_s: the stamp that came.
    """

    before_s: float
    after_s: float


@dataclass
class _Stamps:
    """Stamps under examination: their place in decoded audio, their offset from it, and the packets' durations."""

    at_s: NDArray[np.float64]
    offset_s: NDArray[np.float64]
    duration_s: NDArray[np.float64]


class AudioClock:
    """Follows the stamps of one audio stream.

    While stamps agree with the number of samples, a frame costs one comparison. Where they do not, the frames that
    follow are examined together, and audio is held back until it is known what the stamps mean.

    Args:
        timed: whether stamps are believed beyond the first.

    Attributes:
        start_s: stamp of the first sample; None before it is known.
        length_s: audio so far, seconds.
        settled_s: edits before this time, seconds of decoded audio, are all known.
        jumps: points where the clock was set, in order.
    """

    def __init__(self, timed: bool = True) -> None:
        self.start_s: float | None = None
        self.length_s = self.settled_s = 0.0
        self.jumps: list[Jump] = []
        self._timed = timed
        self._tolerance_s = TOLERANCE_S
        self._offset_s = 0.0  # stamp minus decoded time, as corrected so far
        self._bias_s = 0.0  # what medians of late stamps are later than the earliest of them
        self._edits: list[Edit] = []
        self._examined: list[tuple[float, float, float]] = []
        self._agreed: deque[tuple[float, float, float]] = deque(maxlen=AGREED)
        self._steady_from_s = self._steady_offset_s = 0.0
        self._fillable_s, self._droppable_s = MAX_GAP_S, MAX_REPEATED_S
        self._removed_drift_s = 0.0

    def add(self, duration_s: float, stamp_s: float | None) -> None:
        """Add a frame of audio and its presentation time, both seconds."""
        at_s = self.length_s
        self.length_s += duration_s
        if stamp_s is None or (self.start_s is not None and not self._timed):
            self._add_unstamped()
            return
        if not self._timed:
            self.start_s = self._offset_s = stamp_s - at_s
            self.settled_s = self.length_s
            return
        offset_s = stamp_s - at_s
        if not self._examined:
            if self.start_s is None:
                self._tolerance_s = max(TOLERANCE_S, min(TOLERANCE_SHARE * duration_s, MAX_TOLERANCE_S))
            elif abs(offset_s - self._offset_s) <= self._tolerance_s:
                self._agreed.append((at_s, offset_s, duration_s))
                self.settled_s = self.length_s
                return
            self._steady_from_s, self._steady_offset_s = at_s, offset_s
        self._examined.append((at_s, offset_s, duration_s))
        if abs(offset_s - self._steady_offset_s) > self._tolerance_s:
            self._steady_from_s, self._steady_offset_s = at_s, offset_s
        wanted_s = STEADY_S if self.start_s is not None else LATE_S
        if self.length_s - self._steady_from_s >= wanted_s:
            self._examine(self.length_s)
        elif self.length_s - self._examined[0][0] >= EXAMINED_S:
            self._examine(self.length_s - KEPT_S)

    def _add_unstamped(self) -> None:
        """Settle what is not under examination. The start does not wait for stamps longer than `LATE_S`."""
        if self.start_s is None:
            waited_s = self.length_s - (self._examined[0][0] if self._examined else 0.0)
            if waited_s > LATE_S and self._examined:
                self._examine(self.length_s)
            elif waited_s > LATE_S:
                self.start_s = self._offset_s = 0.0
        if not self._examined and self.start_s is not None:
            self.settled_s = self.length_s

    def finish(self) -> None:
        """End the stream: what is still under examination is decided."""
        if self._examined:
            self._examine(self.length_s)
        if self.start_s is None and self.length_s:
            self.start_s = self._offset_s = 0.0
        self.settled_s = self.length_s

    def take_edits(self) -> list[Edit]:
        """Remove and return the edits that became known since the last call, in order."""
        edits, self._edits = self._edits, []
        return edits

    def _examine(self, until_s: float) -> None:
        """Decide what the stamps before `until_s` of decoded audio mean, and keep the others."""
        from_s = self._examined[0][0]
        stamps = _Stamps(*np.array([*self._agreed, *self._examined]).T)
        self._examined = [frame for frame in self._examined if frame[0] >= until_s]
        moving = ~_stalled(stamps)
        if self.start_s is None and not moving.any():
            self.start_s = self._offset_s = float(stamps.offset_s[0])
        stamps = _Stamps(stamps.at_s[moving], stamps.offset_s[moving], stamps.duration_s[moving])
        if len(stamps.at_s) and stamps.at_s[-1] >= from_s:
            steady_s = _without_outliers(stamps)
            if self.start_s is None:
                self.start_s = self._offset_s = _first_offset_s(stamps, steady_s)
                self._bias_s = max(float(steady_s[0]) - self.start_s, 0.0)
            decided = (stamps.at_s >= from_s) & (stamps.at_s < until_s)
            lateness_s = _lateness(stamps, steady_s)
            steady_s -= np.minimum(self._bias_s, lateness_s)
            self._follow(np.flatnonzero(decided), stamps.at_s, steady_s, self._tolerance_s + lateness_s)
            agreed = zip(stamps.at_s[decided], steady_s[decided], stamps.duration_s[decided], strict=True)
            self._agreed.extend((float(at_s), float(offset_s), float(lasts_s)) for at_s, offset_s, lasts_s in agreed)
        if self.start_s is not None:
            self.settled_s = min(until_s, self._examined[0][0] if self._examined else until_s)

    def _follow(
        self,
        indices: NDArray[np.intp],
        at_s: NDArray[np.float64],
        offset_s: NDArray[np.float64],
        tolerance_s: NDArray[np.float64],
    ) -> None:
        """Correct the clock at some stamps if it differs by more than a tolerance from offsets without outliers."""
        earlier = np.searchsorted(at_s, at_s - GAP_WITHIN_S)
        for index in indices.tolist():
            time_s, now_s = float(at_s[index]), float(offset_s[index])
            change_s = now_s - self._offset_s
            if abs(change_s) <= tolerance_s[index]:
                continue
            if change_s > 0:
                is_abrupt = bool(now_s - offset_s[min(earlier[index], max(index - 1, 0))] > change_s / 2)
            else:
                is_abrupt = bool(-change_s > ABRUPT_S and now_s - offset_s[max(index - 1, 0)] < change_s / 2)
            if self._may_edit(change_s, is_abrupt, time_s):
                self._edits.append(Edit(time_s, change_s, not is_abrupt))
            else:
                self.jumps.append(Jump(time_s + self._offset_s, time_s + now_s))
            self._offset_s = now_s

    def _may_edit(self, change_s: float, is_abrupt: bool, at_s: float) -> bool:
        """Whether a change is a gap, a repetition or drift. Otherwise the clock was set. Takes it from what may be."""
        if change_s > 0:
            if change_s > self._fillable_s:
                return False
            self._fillable_s -= change_s * is_abrupt
        elif is_abrupt:
            if -change_s > self._droppable_s:
                return False
            self._droppable_s += change_s
        else:
            if self._removed_drift_s - change_s > MAX_DRIFT_S + MAX_DRIFT_RATE * at_s:
                return False
            self._removed_drift_s -= change_s
        return True


def _stalled(stamps: _Stamps) -> NDArray[np.bool_]:
    """Which stamps stand still: bool [stamps]."""
    times_s = stamps.at_s + stamps.offset_s
    stalled = np.zeros(len(times_s), bool)
    steps_s = np.diff(times_s)
    last = np.minimum(np.searchsorted(stamps.at_s, stamps.at_s + STALL_S), len(times_s) - 1)
    for first, end in enumerate(last):
        audio_s = stamps.at_s[end] - stamps.at_s[first]
        advance_s = times_s[end] - times_s[first]
        if audio_s >= STALL_S / 2 and advance_s < STALL_RATE * audio_s and steps_s[first:end].min() > -TOLERANCE_S:
            stalled[first : end + 1] = True
    return stalled


def _without_outliers(stamps: _Stamps) -> NDArray[np.float64]:
    """Offsets without single wrong stamps, and without stamps that are late for less than `LATE_S`: [stamps].

    A median removes the former, a morphological opening the latter. Both leave steps where they are: see Serra, Image
    Analysis and Mathematical Morphology (1982).
    """
    at_s, offset_s = stamps.at_s, stamps.offset_s
    usual_s = float(np.median(stamps.duration_s))
    calm_s = _median(offset_s, int(EARLY_S / usual_s) if usual_s else 2)
    steady_s = _behind(np.max, at_s, _ahead(np.min, at_s, calm_s))
    if not _is_end_level(at_s, offset_s, stamps.duration_s[-1]):
        first = int(np.searchsorted(at_s, at_s[-1] + stamps.duration_s[-1] - LATE_S))
        steady_s[first:] = steady_s[max(first - 1, 0)]
    return steady_s


def _first_offset_s(stamps: _Stamps, steady_s: NDArray[np.float64]) -> float:
    """Offset at the start: that of the first stamp if it agrees with the others, else of the earliest one near them."""
    if abs(stamps.offset_s[0] - steady_s[0]) <= TOLERANCE_S and np.ptp(stamps.offset_s) <= 2 * TOLERANCE_S:
        return float(stamps.offset_s[0])
    near = (np.abs(stamps.offset_s - steady_s[0]) <= WRONG_S) & (stamps.at_s < stamps.at_s[0] + FIRST_S)
    return float(stamps.offset_s[near].min(initial=steady_s[0]))


def _lateness(stamps: _Stamps, steady_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Max distance of the stamps from the steady offset within `LATE_S` before and after, seconds: [stamps]."""
    distance_s = np.minimum(np.abs(stamps.offset_s - steady_s), LATE_S)
    usual_s = _median(distance_s, 2)  # not that of single wrong stamps
    return np.maximum(_ahead(np.max, stamps.at_s, usual_s), _behind(np.max, stamps.at_s, usual_s))


def _is_end_level(at_s: NDArray[np.float64], offset_s: NDArray[np.float64], duration_s: float) -> bool:
    """Whether the stamps of the last `LATE_S` show whether they are late.

    Lateness ends with a stamp that is on time, which may come only after the end. So stamps after a step count if they
    agree with each other, and are not a single short frame.
    """
    steps = np.flatnonzero(np.abs(np.diff(offset_s)) > TOLERANCE_S) + 1
    late = steps[at_s[steps] > at_s[-1] + duration_s - LATE_S]
    if not len(late):
        return True
    lasts_s = at_s[-1] + duration_s - at_s[late[0]]
    return bool(np.ptp(offset_s[late[0] :]) <= TOLERANCE_S and lasts_s >= ABRUPT_S)


def _median(values: NDArray[np.float64], half: int) -> NDArray[np.float64]:
    """Median over at most two values on each side: [values]."""
    half = min(half, 2, (len(values) - 1) // 2)
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(values, half, "reflect"), 2 * half + 1)
    return np.asarray(np.median(windows, axis=1), np.float64)


def _ahead(extreme: Extreme, at_s: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Min or max of the values from each time to less than `LATE_S` after it: [values]."""
    ends = np.searchsorted(at_s, at_s + LATE_S - 1e-9)
    return np.array([extreme(values[first : max(end, first + 1)]) for first, end in enumerate(ends)])


def _behind(extreme: Extreme, at_s: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Min or max of the values from less than `LATE_S` before each time to it: [values]."""
    firsts = np.searchsorted(at_s, at_s - LATE_S + 1e-9)
    return np.array([extreme(values[min(first, at) : at + 1]) for at, first in enumerate(firsts)])
