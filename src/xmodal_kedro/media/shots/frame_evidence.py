"""Cuts in frames that are decoded one after the other anyway, however many they are."""

from __future__ import annotations

import numpy as np

from xmodal_kedro.media.shots.thumbnails import cuts_among

FRAMES_AT_A_TIME = 256
"""Thumbnails that are looked at together..."""

FRAMES_OF_CONTEXT = 32
"""...and those at the end of them that are looked at again with what follows: a cut stands out from both its sides."""


class CutWatch:
    """Looks for cuts among thumbnails as they come, some hundred at a time.

    Attributes:
        seen_until_s: cuts before this time have been told.
    """

    def __init__(self) -> None:
        self.seen_until_s = -np.inf
        self._times_s: list[float] = []
        self._thumbnails: list[np.ndarray] = []

    def look_at(self, time_s: float, thumbnail: np.ndarray) -> list[float]:
        """Take the next frame.

        Returns:
            Cuts, seconds, that have come to light.
        """
        self._times_s.append(time_s)
        self._thumbnails.append(thumbnail)
        if len(self._times_s) < FRAMES_AT_A_TIME:
            return []
        found = self._between(self.seen_until_s, self._times_s[-FRAMES_OF_CONTEXT // 2])
        self.seen_until_s = self._times_s[-FRAMES_OF_CONTEXT // 2]
        del self._times_s[:-FRAMES_OF_CONTEXT], self._thumbnails[:-FRAMES_OF_CONTEXT]
        return found

    def finish(self, following: tuple[float, np.ndarray | None] | None) -> list[float]:
        """The cuts that are left, up to and including the frame that follows (time and thumbnail), if one does."""
        if following and following[1] is not None:
            self._times_s.append(following[0])
            self._thumbnails.append(following[1])
        return self._between(self.seen_until_s, np.inf)

    def _between(self, start_s: float, end_s: float) -> list[float]:
        return [cut_s for cut_s in cuts_among(self._times_s, self._thumbnails) if start_s <= cut_s < end_s]
