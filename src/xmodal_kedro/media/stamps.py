"""Offsets of timestamps from the number of samples: which are late, wrong or exact."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LATE_S = 1.0
"""A stamp is late by the time that its packet waited. Among the stamps of so much audio, one is taken to be on time:
lateness that lasts longer is a change."""

EARLY_S = 0.05
"""Half of a window of audio in which stamps that the other ones outnumber are wrong."""

FIRST_S = 4.0
"""The earliest of late stamps is looked for in so much audio."""

LEVEL_RATE = 0.002
"""Jittered stamps may seem to drift by less than this for some seconds."""

MIN_RATE = 0.005
"""Stamps that run slower than the audio by more than this seem early after the start."""

MAX_EARLY_S = 0.012
"""Sound that begins with no picture is taken to begin so much after the earliest stamp at most: half a packet. A first
stamp that differs by less from what is found is believed."""

EVEN_S = 0.1
"""Stamps that vary by more are late: a network or a burst, and no clock that is read with an error."""

WRONG_S = 0.25
"""A stamp that differs from the ones around it by more is wrong rather than late."""

SETTLES_S = 2.0
"""Medians over twice so much audio differ little, however the stamps jitter."""

STALL_S, STALL_RATE = 2.0, 0.1
"""Stamps that advance by less than this rate over so much audio stand still: they say nothing."""

ABRUPT_S = 0.1
"""A repetition is a change back by more than this at one packet. Smaller and slower ones are drift."""

ALIKE_S, EXACT_S = 0.025, 0.002
"""Stamps that differ by less than the first are no sign of lateness, and drift waits until it is as large. A smaller
step is a gap if the stamps around it vary by less than the second: those of some phones go to and fro."""


@dataclass
class Stamps:
    """Stamps under examination: their place in decoded audio, their offset from it, and the packets' durations."""

    at_s: NDArray[np.float64]
    offset_s: NDArray[np.float64]
    duration_s: NDArray[np.float64]


def stalled(stamps: Stamps) -> NDArray[np.bool_]:
    """Which stamps stand still: bool [stamps]."""
    times_s, places = stamps.at_s + stamps.offset_s, np.arange(len(stamps.at_s))
    last = np.minimum(np.searchsorted(stamps.at_s, stamps.at_s + STALL_S), len(places) - 1)
    audio_s, advance_s = stamps.at_s[last] - stamps.at_s, times_s[last] - times_s
    slow = np.flatnonzero((audio_s >= STALL_S / 2) & (advance_s < STALL_RATE * audio_s))
    goes_on = _within(np.minimum, np.diff(times_s), slow, last[slow]) > -ALIKE_S
    found = np.zeros(len(places), bool)
    for first in slow[goes_on].tolist():
        found[first : last[first] + 1] = True
    return found


def without_outliers(stamps: Stamps) -> NDArray[np.float64]:
    """Offsets without single wrong stamps, and without stamps that are late for less than `LATE_S`: [stamps].

    A median removes the former, a morphological opening the latter. Both leave steps where they are: see Serra, Image
    Analysis and Mathematical Morphology (1982).
    """
    at_s, offset_s = stamps.at_s, stamps.offset_s
    usual_s = float(np.median(stamps.duration_s))
    calm_s = _median(offset_s, int(EARLY_S / usual_s) if usual_s else 2)
    steady_s = _behind(np.maximum, at_s, _ahead(np.minimum, at_s, calm_s))
    if not _is_end_level(at_s, offset_s, stamps.duration_s[-1]):
        first = int(np.searchsorted(at_s, at_s[-1] + stamps.duration_s[-1] - LATE_S))
        steady_s[first:] = steady_s[max(first - 1, 0)]
    return steady_s


def first_offset_s(stamps: Stamps, steady_s: NDArray[np.float64], beside_s: float | None) -> float:
    """Offset at the start: that of the first stamp if it agrees with the others.

    Else nothing says whether stamps are late, evenly early and late, or those of the first of several packets. If the
    pictures begin where one of these is true, sound is taken to begin with them; else a little after the earliest.

    Args:
        stamps: at the start of the audio.
        steady_s: their offsets without outliers.
        beside_s: stamp of the first picture; None if there is none.
    """
    apart_s = stamps.offset_s - steady_s
    if abs(apart_s[0]) <= ALIKE_S and np.ptp(apart_s) <= ALIKE_S:
        return float(stamps.offset_s[0])
    since_s = stamps.at_s - stamps.at_s[0]
    rate = (steady_s[-1] - steady_s[0]) / since_s[-1] if since_s[-1] > FIRST_S else 0.0
    offset_s = stamps.offset_s - since_s * min(rate + MIN_RATE, 0.0)
    near = (np.abs(offset_s - steady_s[0]) <= WRONG_S) & (since_s < FIRST_S)
    earliest_s = float(offset_s[near].min(initial=steady_s[0]))
    spread_s = float(np.ptp(apart_s[near])) if near.any() else 0.0
    latest_s = earliest_s + spread_s
    if beside_s is not None and earliest_s - ALIKE_S <= beside_s <= latest_s + ALIKE_S:
        start_s = min(max(beside_s, earliest_s), latest_s)
    else:
        start_s = earliest_s + (min(spread_s / 6, MAX_EARLY_S) if spread_s <= EVEN_S else 0.0)
    first_s = float(stamps.offset_s[0])
    return first_s if abs(first_s - start_s) <= MAX_EARLY_S else start_s


def local_median(at_s: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median of the values within `SETTLES_S` before and after each time: [values]."""
    places_s = np.append(np.arange(at_s[0], at_s[-1], SETTLES_S / 4), at_s[-1])
    firsts, ends = np.searchsorted(at_s, places_s - SETTLES_S), np.searchsorted(at_s, places_s + SETTLES_S, "right")
    medians = [np.median(values[first:end]) for first, end in zip(firsts, ends, strict=True)]
    return np.interp(at_s, places_s, medians)


def common(one_s: NDArray[np.float64], other_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """The smaller of two changes where both have one direction, else none: [changes]."""
    smaller_s = np.where(np.abs(one_s) < np.abs(other_s), one_s, other_s)
    return np.where(one_s * other_s > 0, smaller_s, 0.0)


def steps(steady_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum of the abrupt changes so far of offsets without outliers: [stamps]."""
    changes_s = np.diff(steady_s, prepend=steady_s[0])
    return np.cumsum(np.where(np.abs(changes_s) > 2 * ALIKE_S, changes_s, 0.0))


def far_from(at_s: NDArray[np.float64], gone_s: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which stamps have no abrupt change within `SETTLES_S`, given the sums of such changes: bool [stamps]."""
    before = np.searchsorted(at_s, at_s - SETTLES_S)
    after = np.minimum(np.searchsorted(at_s, at_s + SETTLES_S), len(at_s) - 1)
    return np.asarray(gone_s[before] == gone_s[after])


def start_of_line(at_s: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """Where a straight line through the values begins; their median, if it is nearly level."""
    if np.ptp(at_s) < SETTLES_S:
        return float(np.median(values))
    slope, middle = np.polyfit(at_s - at_s.mean(), values, 1)
    return float(middle + slope * (at_s[0] - at_s.mean()) if abs(slope) > LEVEL_RATE else np.median(values))


def lateness(stamps: Stamps, steady_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Max distance of the stamps from the steady offset within `LATE_S` before and after, seconds: [stamps]."""
    distance_s = np.minimum(np.abs(stamps.offset_s - steady_s), LATE_S)
    usual_s = _median(distance_s, 2)  # not that of single wrong stamps
    return np.maximum(_ahead(np.maximum, stamps.at_s, usual_s), _behind(np.maximum, stamps.at_s, usual_s))


def are_exact(stamps: Stamps, steady_s: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether the stamps within `LATE_S` before and after each agree with the steady offset exactly: [stamps]."""
    distance_s = np.abs(stamps.offset_s - steady_s)
    return (_ahead(np.maximum, stamps.at_s, distance_s) < EXACT_S) & (
        _behind(np.maximum, stamps.at_s, distance_s) < EXACT_S
    )


def _is_end_level(at_s: NDArray[np.float64], offset_s: NDArray[np.float64], duration_s: float) -> bool:
    """Whether the stamps of the last `LATE_S` show whether they are late.

    Lateness ends with a stamp that is on time, which may come only after the end. So stamps after a step count if they
    agree with each other, and are not a single short frame.
    """
    steps = np.flatnonzero(np.abs(np.diff(offset_s)) > ALIKE_S) + 1
    late = steps[at_s[steps] > at_s[-1] + duration_s - LATE_S]
    if not len(late):
        return True
    lasts_s = at_s[-1] + duration_s - at_s[late[0]]
    return bool(np.ptp(offset_s[late[0] :]) <= ALIKE_S and lasts_s >= ABRUPT_S)


def _median(values: NDArray[np.float64], half: int) -> NDArray[np.float64]:
    """Median over at most two values on each side: [values]."""
    half = min(half, 2, (len(values) - 1) // 2)
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(values, half, "reflect"), 2 * half + 1)
    return np.asarray(np.median(windows, axis=1), np.float64)


def _ahead(extreme: np.ufunc, at_s: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Min or max of the values from each time to less than `LATE_S` after it: [values]."""
    places = np.arange(len(at_s))
    return _within(extreme, values, places, np.maximum(np.searchsorted(at_s, at_s + LATE_S - 1e-9), places + 1))


def _behind(extreme: np.ufunc, at_s: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Min or max of the values from less than `LATE_S` before each time to it: [values]."""
    places = np.arange(len(at_s))
    return _within(extreme, values, np.minimum(np.searchsorted(at_s, at_s - LATE_S + 1e-9), places), places + 1)


def _within(
    extreme: np.ufunc, values: NDArray[np.float64], firsts: NDArray[np.intp], ends: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Min or max of the values from each first to before its end, which is later: [firsts].

    A sparse table: two overlapping windows, of a power of two each, cover any other one.
    """
    lengths, found, of_width, width = ends - firsts, np.empty(len(firsts)), values, 1
    while width <= lengths.max(initial=0):
        fits = (lengths >= width) & (lengths < 2 * width)
        found[fits] = extreme(of_width[firsts[fits]], of_width[ends[fits] - width])
        of_width, width = extreme(of_width[:-width], of_width[width:]), 2 * width
    return found
