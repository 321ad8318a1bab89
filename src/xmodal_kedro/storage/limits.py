"""How patient the project is with a network."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Limits of fetching a file.

    Attributes:
        silence_s: a server that sends less than `slowest_kb_per_s` for so long, or does not answer, is given up,
            seconds.
        slowest_kb_per_s: kilobytes a second, on average over `silence_s`.
        max_bytes: of a copy, as storage need not report a size, and the content may never end.
    """

    silence_s: float = 20.0
    slowest_kb_per_s: float = 4.0
    max_bytes: float = math.inf

    @property
    def bytes_in_silence(self) -> float:
        """What must come in `silence_s`, at least one byte."""
        return max(1.0, 1000 * self.slowest_kb_per_s * self.silence_s)


DEFAULT_LIMITS = Limits()
