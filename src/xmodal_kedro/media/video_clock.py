"""Video packets on the clock of the audio, which goes on where the file's clock is set."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence

from av.packet import Packet
from av.video.stream import VideoStream

from xmodal_kedro.media.audio_clock import MAX_GAP_S, MAX_REPEATED_S, Jump

ALIKE_S, ALIKE_SHARE = 2.0, 0.1
"""Jumps of audio and video are the same one if they differ by less than this, in seconds or as a fraction of the jump.
Streams are not interleaved exactly."""

MAX_HELD_S, MAX_HELD_BYTES = 30.0, 24_000_000
"""Packets after a jump of the video wait this long for the same jump of the audio."""


class VideoClock:
    """Changes the timestamps of one stream's packets so that they go on as the audio does.

    A jump of the video is one that the audio has too, or else goes on with the next frame. Jumps forward that the audio
    does not have are no jumps: a frame may be on screen for hours.
    """

    def __init__(self, stream: VideoStream) -> None:
        self._frame_s = float(1 / stream.average_rate) if stream.average_rate else 0.04
        self._tick_s = float(stream.time_base or 1)
        self._shift_s = 0.0
        self._last_s = -math.inf
        self._used_jumps = 0
        self._held: deque[Packet[VideoStream]] = deque()
        self._held_bytes = 0

    def look_at(self, packet: Packet[VideoStream], jumps: Sequence[Jump]) -> list[Packet[VideoStream]]:
        """The packets that can be placed, with timestamps on the audio's clock.

        Args:
            packet: the next packet of the stream.
            jumps: jumps of the audio so far.
        """
        if not self._held and packet.dts is not None:
            time_s = self._time_s(packet)
            if -MAX_REPEATED_S <= time_s - self._last_s <= MAX_GAP_S:
                self._last_s = time_s
                move(packet, -self._shift_s, self._tick_s)
                return [packet]
        self._held.append(packet)
        self._held_bytes += packet.size
        return list(self._placed(jumps, ended=False))

    def finish(self, jumps: Sequence[Jump]) -> list[Packet[VideoStream]]:
        """The packets that still waited."""
        return list(self._placed(jumps, ended=True))

    def _placed(self, jumps: Sequence[Jump], ended: bool) -> Iterator[Packet[VideoStream]]:
        while self._held:
            time_s = self._time_s(self._held[0])
            step_s = time_s - self._last_s
            if self._held[0].dts is None:  # in order of decoding, presentation times go to and fro
                pass
            elif -MAX_REPEATED_S <= step_s <= MAX_GAP_S or math.isinf(step_s):
                self._last_s = time_s
            elif self._is_single(step_s):
                move(self._held[0], -step_s, self._tick_s)  # to the time of the packet before
            elif not self._follow_jump(step_s, jumps, ended):
                return
            else:
                self._last_s = time_s
            packet = self._held.popleft()
            self._held_bytes -= packet.size
            move(packet, -self._shift_s, self._tick_s)
            yield packet

    def _time_s(self, packet: Packet[VideoStream]) -> float:
        return decoding_time_s(packet, self._tick_s)

    def _is_single(self, step_s: float) -> bool:
        """Whether the packet after the first one that waits is back where it should be."""
        if len(self._held) < 2:
            return False
        return abs(self._time_s(self._held[1]) - self._last_s) < min(MAX_REPEATED_S, abs(step_s) / 2)

    def _follow_jump(self, step_s: float, jumps: Sequence[Jump], ended: bool) -> bool:
        """Adopt a jump, or find that it is none; False while that is not known."""
        for index in range(self._used_jumps, len(jumps)):
            jump_s = jumps[index].after_s - jumps[index].before_s
            if abs(jump_s - step_s) < max(ALIKE_S, ALIKE_SHARE * abs(jump_s)):
                self._shift_s += jump_s
                self._used_jumps = index + 1
                return True
        waited_s = self._time_s(self._held[-1]) - self._time_s(self._held[0])
        if not ended and waited_s < MAX_HELD_S and self._held_bytes < MAX_HELD_BYTES:
            return False
        if step_s < 0:
            self._shift_s += step_s - self._frame_s
        return True


def decoding_time_s(packet: Packet, tick_s: float) -> float:
    """Decoding time of a packet, seconds; its presentation time if it has none.

    Args:
        packet: a packet.
        tick_s: time base of its stream. That of the packet is a fraction, with which arithmetic is slow.
    """
    stamp = packet.pts if packet.dts is None else packet.dts
    return (stamp or 0) * tick_s


def move(packet: Packet, by_s: float, tick_s: float) -> None:
    """Add to the timestamps of a packet, seconds."""
    if by_s:
        ticks = round(by_s / tick_s)
        if packet.pts is not None:
            packet.pts += ticks
        if packet.dts is not None:
            packet.dts += ticks
