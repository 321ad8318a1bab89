"""A group of pictures (GOP) that is too long or too large to be kept: it is decoded while it is demuxed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from av.packet import Packet
from av.video.stream import VideoStream

from xmodal_kedro.media.frame_store import FrameStore, Thinning
from xmodal_kedro.media.gop_decoder import GopDecoder, TimedFrame
from xmodal_kedro.media.shots.frame_evidence import CutWatch
from xmodal_kedro.media.shots.thumbnails import luma_thumbnail
from xmodal_kedro.media.still_picture import StillWatch

PACKETS_AT_A_TIME = 100
"""Packets whose sizes are looked at together."""


class LongGop:
    """Stores frames of the GOP, and looks at all for cuts and changes. While it is open, nothing else is decoded.

    Attributes:
        cuts_s: cuts found and not yet taken, seconds.
    """

    def __init__(self, decoder: GopDecoder, store: FrameStore, thinning: Thinning, still: StillWatch) -> None:
        self.cuts_s: list[float] = []
        self._decoder = decoder
        self._store = store
        self._thinning = thinning
        self._still = still
        self._watch = CutWatch()
        self._times_s: list[float] = []
        self._sizes: list[int] = []

    @property
    def seen_until_s(self) -> float:
        """Cuts before this time have been found."""
        return self._watch.seen_until_s

    def add(self, packet: Packet[VideoStream], time_s: float) -> None:
        """Go on with the next packet and its presentation time."""
        self._times_s.append(time_s)
        self._sizes.append(packet.size)
        if len(self._sizes) == PACKETS_AT_A_TIME:
            self._still.add_packets(self._times_s, self._sizes)
            self._times_s, self._sizes = [], []
        self._look_at(self._decoder.add(packet, time_s))

    def release_decoder(self) -> None:
        """Take all frames out of the decoder, after the last packet."""
        self._look_at(self._decoder.end())

    def close(self, following: tuple[float, np.ndarray | None] | None, end_s: float) -> None:
        """End after `release_decoder`.

        Args:
            following: time and thumbnail of the next keyframe, if there is one.
            end_s: when the last frame leaves the screen.
        """
        self._store.add_all(self._thinning.end(end_s))
        self.cuts_s += self._watch.finish(following)

    def _look_at(self, frames: Sequence[TimedFrame]) -> None:
        for frame, time_s in frames:
            self._store.add_all(self._thinning.add(frame, time_s))
            luma = luma_thumbnail(frame)
            self._still.add_frame(time_s, luma)
            self.cuts_s += self._watch.look_at(time_s, luma)
