"""Whether the picture of a recording is one still image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


class StillWatch:
    def add_frame(self, time_s: float, luma: np.ndarray) -> None: ...
    def add_gop(self, times_s: Sequence[float], sizes: Sequence[int], end_s: float) -> None: ...
    def forget_before(self, time_s: float) -> None: ...
    def is_still(self, start_s: float, end_s: float) -> bool:
        return False
