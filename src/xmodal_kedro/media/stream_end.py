"""When the last frame of a stream leaves the screen."""

from __future__ import annotations

import re

import numpy as np
from av.packet import Packet
from av.video.stream import VideoStream

DURATION_TAG = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)")
"""How Matroska files state the length of a stream, which their frames do not."""


def tagged_duration_s(stream: VideoStream) -> float:
    """Duration in the tag that writers of Matroska files leave, seconds; 0 if there is none."""
    found = DURATION_TAG.match(
        next((value for key, value in stream.metadata.items() if key.startswith("DURATION")), "")
    )
    return 3600 * int(found[1]) + 60 * int(found[2]) + float(found[3]) if found else 0.0


class StreamEnd:
    """Follows the packets of a stream: its last frame stays for its own duration, or as long as its frames usually do.

    The only frame of a stream, such as the cover of a song, stays for good.

    Attributes:
        start_s: earliest time of a frame that is shown; None before the first, seconds.
        last_s: latest time of a frame.
    """

    def __init__(self, stream: VideoStream) -> None:
        self.start_s: float | None = None
        self.last_s = -np.inf
        self._tick_s = float(stream.time_base or 0)
        self._count = 0
        self._stated_s = tagged_duration_s(stream)
        self._delay_s: float | None = None

    def look_at(self, packet: Packet[VideoStream], time_s: float) -> None:
        """Add the next packet and its presentation time."""
        if not packet.is_discard:  # by an edit list, the first packets may be decoded but not shown
            self.start_s = time_s if self.start_s is None else min(self.start_s, time_s)
        self._count += 1
        self.last_s = max(self.last_s, time_s)
        # Where frames are reordered, durations follow the decoding order.
        decoded_s = time_s if packet.dts is None else packet.dts * self._tick_s
        if self._delay_s is None:
            self._delay_s = time_s - decoded_s
        end_s = max(time_s, decoded_s + self._delay_s) + (packet.duration or 0) * self._tick_s
        self._stated_s = max(self._stated_s, end_s)

    @property
    def end_s(self) -> float:
        """When the last frame so far ends, seconds."""
        if self._count < 2 or self.start_s is None:
            return np.inf
        return max(self._stated_s, self.last_s + (self.last_s - self.start_s) / (self._count - 1))
