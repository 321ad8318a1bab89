"""The frames of one stream that clips may still need, as JPEGs."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from av.video.frame import VideoFrame

from xmodal_kedro.media.frames import Frame, PictureEncoder
from xmodal_kedro.media.spans import pick_spread


class Interval(NamedTuple):
    """A part of a recording, seconds in the file's own clock."""

    start_s: float
    end_s: float


class FrameStore:
    """Frames in order of time, compressed.

    Attributes:
        latest_s: latest time of a frame that was ever stored, seconds.
    """

    def __init__(self, encoder: PictureEncoder) -> None:
        self.latest_s = -np.inf
        self._encoder = encoder
        self._frames: list[Frame] = []
        self._times_s: list[float] = []

    def add(self, frame: VideoFrame, time_s: float) -> Frame:
        """Store a frame, unless there is one of that time."""
        at = bisect_left(self._times_s, time_s)
        if at < len(self._times_s) and self._times_s[at] == time_s:
            return self._frames[at]
        stored = Frame(time_s, self._encoder.jpeg(frame))
        self._times_s.insert(at, time_s)
        self._frames.insert(at, stored)
        self.latest_s = max(self.latest_s, time_s)
        return stored

    def add_all(self, frames: Iterable[tuple[VideoFrame, float]]) -> None:
        """Store frames with their times."""
        for frame, time_s in frames:
            self.add(frame, time_s)

    def spread(self, start_s: float, end_s: float, count: int) -> list[Frame]:
        """At most `count` frames that begin between two times, spread evenly."""
        return [self._frames[index] for index in pick_spread(self._times_s, start_s, end_s, count)]

    def begun_by(self, time_s: float) -> Frame | None:
        """The last frame that begins at that time or before it."""
        index = bisect_right(self._times_s, time_s) - 1
        return self._frames[index] if index >= 0 else None

    def forget_before(self, time_s: float) -> None:
        """Drop frames that are followed by another that begins at that time or before it."""
        passed = max(bisect_right(self._times_s, time_s) - 1, 0)
        del self._frames[:passed], self._times_s[:passed]


class Thinning:
    """Chooses few frames of a run so that of any stretch of two spacings, one is kept that is on screen in it.

    These are frames a spacing after the last one kept, and frames that stay on screen for a spacing.
    """

    def __init__(self, spacing_s: float, kept_s: float) -> None:
        self._spacing_s = spacing_s
        self._kept_s = kept_s
        self._passed: tuple[VideoFrame, float] | None = None

    def add(self, frame: VideoFrame, time_s: float) -> list[tuple[VideoFrame, float]]:
        """Frames to keep, given the next one of the run and its time, seconds."""
        kept = self.end(time_s)
        if time_s - self._kept_s >= self._spacing_s:
            kept.append((frame, time_s))
            self._kept_s = time_s
        else:
            self._passed = frame, time_s
        return kept

    def end(self, time_s: float = np.inf) -> list[tuple[VideoFrame, float]]:
        """The frame that was passed over last, if it is on screen for a spacing: until `time_s`, or for ever."""
        passed, self._passed = self._passed, None
        if passed is None or time_s - passed[1] < self._spacing_s:
            return []
        self._kept_s = passed[1]
        return [passed]
