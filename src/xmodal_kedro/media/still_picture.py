"""Whether the picture of a recording is one still image, such as the cover of a song, that shows nothing of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from statistics import median

import cv2
import numpy as np

AROUND_S = 30.0
"""A picture is still if nothing changes for so long before and after it, or to the ends of the recording."""

MAX_CELL, MAX_MEAN = 6, 2.0
"""Grey levels by which a thumbnail may differ from an earlier one of the same image: at most in one cell, and on
average. Keyframes of one image differ so far, by noise of the codec; those of a person who speaks differ more."""

MAX_REST, RESTLESS_FRAMES = 0.1, 3
"""Where every frame is a keyframe, those of one image are equal, once the encoder has settled. So many that differ by
more than this average, each from the one before, show something else."""

BITS_PER_PIXEL, BYTES, MPEG2_SLICE_BYTES = 0.006, 64, 14
"""Frames after a keyframe whose median size is below this many bits a pixel, and bytes, only repeat it. That is a third
of what the noise of a camera needs at the usual quality. MPEG-1 and MPEG-2 need more to say that nothing changes: for
each 16 rows..."""

REFINING = 4
"""...and VP8 so many times as much, where its bit rate is high: it goes on to refine what does not change."""

EXAMINED_FRAMES = 64
"""So many frames of a group of pictures that seems still are to be decoded and compared..."""

EXAMINED_EVERY_S = 30.0
"""...if none has been for so long."""


class StillWatch:
    """Notes when the picture changes, by thumbnails of decoded frames and by the sizes of packets of the others."""

    def __init__(self, width: int, height: int, codec: str = "") -> None:
        slice_bytes = MPEG2_SLICE_BYTES if codec in ("mpeg1video", "mpeg2video") else 0
        self._small = BITS_PER_PIXEL / 8 * width * height + BYTES + slice_bytes * height / 16
        self._small *= REFINING if codec == "vp8" else 1
        self._changes: deque[tuple[float, float]] = deque()
        self._image: np.ndarray | None = None
        self._last: np.ndarray | None = None
        self._seen_s = self._examined_s = -np.inf
        self._restless = 0

    def add_frame(self, time_s: float, luma: np.ndarray) -> None:
        """Compare a decoded frame's thumbnail with the image so far."""
        if self._image is None or self._last is None:
            self._image = self._last = luma
        most, mean = (cv2.norm(luma, self._image, how) for how in (cv2.NORM_INF, cv2.NORM_L1))
        if most > MAX_CELL or mean > MAX_MEAN * luma.size:
            self._changes.append((min(self._seen_s, time_s), time_s))
            self._image = luma
        self._restless = self._restless + 1 if cv2.norm(luma, self._last, cv2.NORM_L1) > MAX_REST * luma.size else 0
        self._last = luma
        self._seen_s = max(self._seen_s, time_s)

    def add_packets(self, times_s: Sequence[float], sizes: Sequence[int]) -> bool:
        """Take in a keyframe and the packets that follow it.

        Returns:
            Whether their sizes are those of a still image and the first frames are worth decoding to be sure.
        """
        start_s, end_s = times_s[0], max(times_s)
        changed = median(sizes[1:]) > self._small if len(sizes) > 1 else self._restless >= RESTLESS_FRAMES
        if changed:
            self._changes.append((start_s, end_s))
        if changed or len(sizes) == 1 or start_s < self._examined_s + EXAMINED_EVERY_S:
            return False
        self._examined_s = start_s
        return True

    def is_still(self, start_s: float, end_s: float) -> bool:
        """Whether one image is on screen between two times and around them, as far as is known."""
        after_s, before_s = start_s - AROUND_S, end_s + AROUND_S
        return self._image is not None and not any(
            first_s <= before_s and last_s >= after_s for first_s, last_s in self._changes
        )

    def forget_before(self, time_s: float) -> None:
        """Drop what only frames before that time could need."""
        while self._changes and self._changes[0][1] < time_s - AROUND_S:
            self._changes.popleft()
