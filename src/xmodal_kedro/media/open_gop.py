"""A group of pictures (GOP) while its packets come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from av.packet import Packet

from xmodal_kedro.media.shots.packet_evidence import Gop


@dataclass
class OpenGop:
    """A keyframe and the packets that followed it so far.

    Attributes:
        luma: thumbnail of the keyframe, where it was decoded.
        packets: in decoding order; the first is the keyframe.
        times_s: presentation time of each packet, seconds.
        sizes: bytes of each packet.
    """

    luma: np.ndarray | None
    packets: list[Packet] = field(default_factory=list)
    times_s: list[float] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    def add(self, packet: Packet, time_s: float) -> None:
        """Add the next packet."""
        self.packets.append(packet)
        self.times_s.append(time_s)
        self.sizes.append(packet.size)

    def after(self, gop: Gop) -> OpenGop:
        """Both as one, if its keyframe turned out to be none."""
        return OpenGop(
            gop.luma, [*gop.packets, *self.packets], [*gop.times_s, *self.times_s], [*gop.sizes, *self.sizes]
        )

    def close(self, end_s: float, pause_s: float) -> Gop:
        """The whole GOP, whose last frame ends at `end_s`. A frame that stays on screen for `pause_s` is a pause."""
        return Gop(self.packets, self.times_s, self.sizes, self.luma, has_pauses(self.times_s, end_s, pause_s))


def has_pauses(times_s: Sequence[float], end_s: float, pause_s: float) -> bool:
    """Whether a frame stays on screen for at least `pause_s`.

    Args:
        times_s: presentation times of frames, in any order, seconds.
        end_s: when the last of them ends.
    """
    ordered = sorted(times_s)
    return any(later - earlier >= pause_s for earlier, later in pairwise([*ordered, max(end_s, ordered[-1])]))
