"""Decoding the groups of pictures (GOPs) of one stream, each from its keyframe, without frames that are not needed."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import deque
from collections.abc import Iterator, Sequence

from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from xmodal_kedro.media.container import decode
from xmodal_kedro.media.frames import Times
from xmodal_kedro.media.open_gop import has_pauses

MAX_REORDERING = 16
"""Frames by which decoding order and order of time may differ: the most that H.264 and HEVC allow."""

TimedFrame = tuple[VideoFrame, float]


class GopDecoder:
    """Decodes with the stream's only decoder, in bursts that each start at a keyframe.

    Frames that are no references cost a third of the time and are passed over, unless one of them is on screen for so
    long that a clip may have no other.

    Attributes:
        pause_s: a frame that stays on screen for so long is never passed over, seconds.
    """

    def __init__(self, stream: VideoStream, shortest_clip_s: float) -> None:
        self.pause_s = shortest_clip_s / MAX_REORDERING
        self._stream = stream
        self._times = Times()
        self._waiting: deque[tuple[Packet[VideoStream], float]] = deque()
        self._near_s: list[float] = []
        self._passed_s: deque[float] = deque()
        # Scaling frames down hides block edges anyway. The filter that smoothes them takes a quarter of the decoding.
        stream.codec_context.options = {**stream.codec_context.options, "skip_loop_filter": "all"}

    def keyframe(self, packet: Packet[VideoStream]) -> VideoFrame | None:
        """The frame of a keyframe packet, without waiting for later packets; None if it cannot be decoded."""
        frames = decode(self._stream, packet) + decode(self._stream, None)
        self._stream.codec_context.flush_buffers()
        return frames[0] if frames else None

    def frames(self, packets: Sequence[Packet[VideoStream]], every: bool) -> Iterator[TimedFrame]:
        """Frames of packets that begin with a keyframe, and their times in seconds, decoded lazily.

        Args:
            every: decode those that are no references too.
        """
        context = self._stream.codec_context
        context.skip_frame = "DEFAULT" if every else "NONREF"
        time_s = 0.0
        try:
            for packet in packets:
                time_s = self._times.of_packet_s(packet)
                yield from self._timed(decode(self._stream, packet), time_s)
            yield from self._timed(decode(self._stream, None), time_s)
        finally:
            context.flush_buffers()
            context.skip_frame = "DEFAULT"

    def add(self, packet: Packet[VideoStream], time_s: float) -> list[TimedFrame]:
        """Frames that come out when a long GOP goes on with this packet. Packets wait until their successor is known.

        Between the first packet of a GOP and `end`, nothing else may be decoded.
        """
        self._waiting.append((packet, time_s))
        insort(self._near_s, time_s)
        return self._decode_next() if len(self._waiting) > MAX_REORDERING else []

    def paused_before(self, time_s: float) -> bool:
        """Whether a frame shortly before this time stays on screen for `pause_s`, among those given to `add`."""
        return bool(self._near_s) and has_pauses(self._near_s, time_s, self.pause_s)

    def end(self) -> list[TimedFrame]:
        """The remaining frames of a GOP that was decoded with `add`."""
        frames = []
        while self._waiting:
            frames += self._decode_next()
        last_s = self._near_s[-1] if self._near_s else 0.0
        frames += self._timed(decode(self._stream, None), last_s)
        self._near_s, self._passed_s = [], deque()
        self._stream.codec_context.flush_buffers()
        self._stream.codec_context.skip_frame = "DEFAULT"
        return frames

    def _decode_next(self) -> list[TimedFrame]:
        packet, time_s = self._waiting.popleft()
        following = bisect_right(self._near_s, time_s)
        brief = following < len(self._near_s) and self._near_s[following] - time_s < self.pause_s
        self._stream.codec_context.skip_frame = "NONREF" if brief else "DEFAULT"
        self._passed_s.append(time_s)
        if len(self._passed_s) > MAX_REORDERING:
            self._near_s.remove(self._passed_s.popleft())
        return self._timed(decode(self._stream, packet), time_s)

    def _timed(self, frames: Sequence[VideoFrame], otherwise_s: float) -> list[TimedFrame]:
        """Frames with their presentation times, seconds; `otherwise_s` for one that has none."""
        return [(frame, self._times.of_frame_s(frame, self._stream, otherwise_s)) for frame in frames]
