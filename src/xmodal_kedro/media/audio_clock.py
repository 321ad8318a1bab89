"""Where decoded audio lies in time: by its samples, corrected by timestamps only where they disagree for long.

Timestamps of audio are often wrong where the audio is right. Network cameras stamp packets when they arrive, in bursts
or with jitter; single stamps are wrong, or equal. So the number of samples is the clock. Stamps show three things
that samples cannot show: that audio is missing, that a sound card runs fast or slow, and that the clock was set.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xmodal_kedro.media.drift import AveragedOffsets, DriftMeter
from xmodal_kedro.media.stamps import (
    ABRUPT_S,
    ALIKE_S,
    LATE_S,
    Stamps,
    are_exact,
    first_offset_s,
    lateness,
    stalled,
    without_outliers,
)

UNTIMED_FORMATS = ("avi", "aac", "mp3", "ac3", "eac3", "dts", "amr")
"""Containers without timestamps. FFmpeg derives them from byte counts, which are wrong if a header is, or from the
sample rate at the start. Their audio has no gaps."""

TOLERANCE_S, MAX_TOLERANCE_S, TOLERANCE_SHARE = 0.015, 0.04, 0.1
"""A stamp this close to the number of samples agrees with it: less than a lost packet. With long packets, of which few
can be compared, the limit is this fraction of them, up to the second value."""

STEADY_S = 2.0
"""An examination ends when stamps have agreed with each other for so long."""

EXAMINED_S = 12.0
"""Max audio that is examined at once."""

KEPT_S = 4.0
"""The end of that audio, which is examined again together with what follows. More than `LATE_S` and `STALL_S`."""

EQUAL_S = 1e-4
"""Offsets of stamps that vary by less, as by rounding to a time base, are equal."""

AGREED = 96
"""Stamps that agreed and are kept to compare others with: about `2 * LATE_S` of the shortest usual packets."""

GAP_WITHIN_S, GAP_SHARE = 0.5, 0.1
"""A change forward is a gap if more than half of it comes within so much audio, in steps of more than this fraction of
a packet. A slower one is drift."""

SHIFTED = 5
"""Stamps by which a step may be found too early."""

MAX_GAP_S = 3600.0
"""More missing audio than this, in sum, means that the clock was set forward. It is not filled."""

MAX_REPEATED_S = 1.0
"""More audio than this, in sum, for times that already have audio means that the clock was set back. It is all kept."""

MIN_STEP_S, MIN_STEP_SHARE, MAX_STEP_S = 0.02, 0.25, 0.1
"""Drift among jittered stamps is corrected when it is as large as the first, or, of long packets, of which there are
fewer, as this share of one and the tolerance; long before it is as large as the last."""

MAX_DRIFT_S, MAX_DRIFT_RATE = 5.0, 0.1
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


class AudioClock:
    """Follows the stamps of one audio stream.

    While stamps agree with the number of samples, a frame costs one comparison. Where they do not, the frames that
    follow are examined together, and audio is held back until it is known what the stamps mean.

    Args:
        timed: whether stamps are believed beyond the first.

    Attributes:
        beside_s: stamp of the first picture, as far as is known; None if there is none.
        start_s: stamp of the first sample; None before it is known.
        length_s: audio so far, seconds.
        settled_s: edits before this time, seconds of decoded audio, are all known.
        jumps: points where the clock was set, in order.
    """

    def __init__(self, timed: bool = True) -> None:
        self.beside_s: float | None = None
        self.start_s: float | None = None
        self.length_s = self.settled_s = 0.0
        self.jumps: list[Jump] = []
        self._timed = timed
        self._tolerance_s = TOLERANCE_S
        self._offset_s = 0.0  # stamp minus decoded time, as corrected so far
        self._bias_s = 0.0  # what the earliest of jittered stamps are later than the sound
        self._drift_meter = DriftMeter()
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
        if self.start_s is None and self._agree_from_the_start():
            self.start_s = self._offset_s = self._examined[0][1]
            self._agreed.extend(frame for frame in self._examined if frame[0] < until_s)
            self._examined = [frame for frame in self._examined if frame[0] >= until_s]
            self.settled_s = min(until_s, self._examined[0][0] if self._examined else until_s)
            return
        from_s = self._examined[0][0]
        stamps = Stamps(*np.array([*self._agreed, *self._examined]).T)
        self._examined = [frame for frame in self._examined if frame[0] >= until_s]
        moving = ~stalled(stamps)
        if self.start_s is None and not moving.any():
            self.start_s = self._offset_s = float(stamps.offset_s[0])
        stamps = Stamps(stamps.at_s[moving], stamps.offset_s[moving], stamps.duration_s[moving])
        if len(stamps.at_s) and stamps.at_s[-1] >= from_s:
            steady_s = without_outliers(stamps)
            if self.start_s is None:
                self.start_s = self._offset_s = first_offset_s(stamps, steady_s, self.beside_s)
                self._bias_s = float(steady_s[0]) - self.start_s
            decided = (stamps.at_s >= from_s) & (stamps.at_s < until_s)
            lateness_s = lateness(stamps, steady_s)
            indices = np.flatnonzero(decided)
            if len(indices):
                averaged = self._drift_meter.measure(
                    int(indices[0]), stamps, steady_s, lateness_s, self._offset_s, self._tolerance_s
                )
                sound_s = steady_s - np.clip(self._bias_s, -lateness_s, lateness_s)
                self._follow(indices, stamps, sound_s, lateness_s, averaged)
            agreed = zip(stamps.at_s[decided], steady_s[decided], stamps.duration_s[decided], strict=True)
            self._agreed.extend((float(at_s), float(offset_s), float(lasts_s)) for at_s, offset_s, lasts_s in agreed)
        if self.start_s is not None:
            self.settled_s = min(until_s, self._examined[0][0] if self._examined else until_s)

    def _agree_from_the_start(self) -> bool:
        """Whether the first stamps are all exact, as those of most files: then nothing has to be found out."""
        offsets_s = [offset_s for _, offset_s, _ in self._examined]
        return max(offsets_s) - min(offsets_s) <= EQUAL_S

    def _follow(
        self,
        indices: NDArray[np.intp],
        stamps: Stamps,
        offset_s: NDArray[np.float64],
        lateness_s: NDArray[np.float64],
        averaged: AveragedOffsets,
    ) -> None:
        """Correct the clock at some stamps if it differs from offsets without outliers by more than they are late."""
        at_s = stamps.at_s
        earlier = np.minimum(np.searchsorted(at_s, at_s - GAP_WITHIN_S), np.maximum(np.arange(len(at_s)) - 1, 0))
        steps_s = np.diff(offset_s, prepend=offset_s[0])
        leaps_s = np.cumsum(np.where(steps_s > GAP_SHARE * stamps.duration_s, steps_s, 0.0))
        is_exact = are_exact(stamps, offset_s)
        allowed_s = max(self._tolerance_s, ALIKE_S) + lateness_s
        min_step_s = max(MIN_STEP_S, TOLERANCE_S + MIN_STEP_SHARE * float(np.median(stamps.duration_s)))
        index = -1
        while True:
            changes_s = offset_s - self._offset_s
            drifted_s = averaged.drift_s(self._offset_s)
            may_count = (np.abs(changes_s) > allowed_s) | (is_exact & (changes_s > self._tolerance_s))
            may_count |= np.abs(drifted_s) > min_step_s
            index = next(iter(indices[(indices > index) & may_count[indices]].tolist()), -1)
            if index < 0:
                return
            time_s, now_s = float(at_s[index]), float(offset_s[index])
            change_s = now_s - self._offset_s
            if change_s > 0:
                is_abrupt = bool(leaps_s[index] - leaps_s[earlier[index]] > change_s / 2)
            else:
                before = max(index - SHIFTED, 0)  # the removal of outliers may have moved the step
                is_abrupt = bool(-change_s > ABRUPT_S and steps_s[before : index + 1].min() < change_s / 2)
            is_lost = is_exact[index] and is_abrupt and change_s > self._tolerance_s
            is_slow = not is_abrupt and bool(np.isfinite(averaged.of_punctual_s[index]))
            if not is_lost and (abs(change_s) <= allowed_s[index] or is_slow):
                change_s, is_abrupt = float(drifted_s[index]), False
                now_s = self._offset_s + change_s
                if not min_step_s < abs(change_s) < MAX_STEP_S:
                    continue
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
