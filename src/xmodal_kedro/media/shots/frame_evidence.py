"""Cuts in frames that are decoded one after the other anyway, in bounded memory."""

from __future__ import annotations

import numpy as np

from xmodal_kedro.media.shots.thumbnails import cuts_among

FRAMES_AT_A_TIME = 256
"""Thumbnails that are compared together."""

FRAMES_OF_CONTEXT = 32
"""The last of them are compared again with what follows: a cut is found from the frames on both its sides."""

SECONDS_AT_A_TIME = 60.0
"""Fewer are compared together where they lie so far apart."""


class CutWatch:
    """Finds cuts among thumbnails while they are added, a few hundred at a time.

    Attributes:
        seen_until_s: cuts before this time have been returned.
    """

    def __init__(self) -> None:
        self.seen_until_s = -np.inf
        self._times_s: list[float] = []
        self._thumbnails: list[np.ndarray] = []

    def look_at(self, time_s: float, thumbnail: np.ndarray) -> list[float]:
        """Add the next frame.

        Returns:
            Cuts found by now, seconds.
        """
        self._times_s.append(time_s)
        self._thumbnails.append(thumbnail)
        count = len(self._times_s)
        slow = count > FRAMES_OF_CONTEXT and time_s - self._times_s[FRAMES_OF_CONTEXT] >= SECONDS_AT_A_TIME
        if count < FRAMES_AT_A_TIME and not slow:
            return []
        cuts_s = self._between(self.seen_until_s, self._times_s[-FRAMES_OF_CONTEXT // 2])
        self.seen_until_s = self._times_s[-FRAMES_OF_CONTEXT // 2]
        del self._times_s[:-FRAMES_OF_CONTEXT], self._thumbnails[:-FRAMES_OF_CONTEXT]
        return cuts_s

    def finish(self, following: tuple[float, np.ndarray | None] | None) -> list[float]:
        """The remaining cuts, up to and including the following frame (time and thumbnail), if there is one."""
        if following and following[1] is not None:
            self._times_s.append(following[0])
            self._thumbnails.append(following[1])
        return self._between(self.seen_until_s, np.inf)

    def _between(self, start_s: float, end_s: float) -> list[float]:
        return [cut_s for cut_s in cuts_among(self._times_s, self._thumbnails) if start_s <= cut_s < end_s]
