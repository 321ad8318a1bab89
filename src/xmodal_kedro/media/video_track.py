"""The pictures of a recording while it is demuxed once: keyframes at once, others where a clip needs one."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from xmodal_kedro.media.container import decode
from xmodal_kedro.media.frames import Frame, Turn, decode_alone, encode_picture, frame_time_s, packet_time_s
from xmodal_kedro.media.shots.boundaries import LATENESS_S, ShotBoundaryDetector
from xmodal_kedro.media.shots.frame_evidence import CutWatch
from xmodal_kedro.media.shots.packet_evidence import Gop
from xmodal_kedro.media.shots.thumbnails import luma_thumbnail
from xmodal_kedro.media.spans import pick_spread
from xmodal_kedro.params import ClipParams

MAX_GOP_S = 30.0
"""A group of pictures (GOP) that goes on for longer is decoded as it comes: its packets are not kept."""

MAX_PACKET_BYTES = 48_000_000
"""Packets kept for clips that may need a picture of them; with more, the oldest are decoded and let go."""

KEYFRAME_NEWS_S = 0.5
"""Keyframes nearer than this to the last one told of are not told of: where every frame is one, few will do."""


class Interval(NamedTuple):
    """A part of a recording, seconds in the file's own clock."""

    start_s: float
    end_s: float


@dataclass
class OpenGop:
    """A keyframe and the packets that followed it so far."""

    luma: np.ndarray | None
    packets: list[Packet] = field(default_factory=list)
    times_s: list[float] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)


class VideoTrack:
    """Gathers what can be seen in one video stream. All times are in the file's own clock, seconds.

    Keyframes are decoded as they come by, far enough apart for a few in every clip. Other packets are kept, undecoded,
    until no clip can need them. The one decoder of the stream works in bursts that each start at a keyframe.

    Attributes:
        stream: the stream.
        start_s: when it begins, as far as packets have told; None before the first.
        seen_until_s: cuts and keyframes before this time have been told.
        last_s: latest time of a packet.
    """

    def __init__(self, stream: VideoStream, params: ClipParams) -> None:
        self.start_s: float | None = None
        self.seen_until_s = self.last_s = -np.inf
        self.stream = stream
        self._params = params
        self._spacing_s = params.min_s / params.frames_per_clip
        self._flags_lie = False
        self._turn: Turn | None = None
        self._finder = ShotBoundaryDetector(self._reference_thumbnails)
        self._watch: CutWatch | None = None
        self._pictures: list[Frame] = []
        self._closed: list[Gop] = []
        self._open: OpenGop | None = None
        self._packet_bytes = 0
        self._keyframes_s: list[float] = []
        self._cuts_s: list[float] = []
        self._told_s = self._pictured_s = -np.inf
        # Pictures are scaled down, which hides the edges of blocks that this filter smoothes at a quarter of the cost.
        stream.codec_context.options = {**stream.codec_context.options, "skip_loop_filter": "all"}

    def look_at(self, packet: Packet[VideoStream]) -> None:
        """Take the next packet of the stream. After a clock that started anew, packets have no place in time."""
        time_s = packet_time_s(packet)
        if not packet.is_discard:  # an edit list may lead in with packets that are decoded and not shown
            self.start_s = time_s if self.start_s is None else min(self.start_s, time_s)
        if self._open is None or (packet.is_keyframe and not self._flags_lie):
            if self._open and time_s <= self._open.times_s[0]:
                return
            self._begin(packet, time_s)
        else:
            self._go_on(packet, time_s)
        self.last_s = max(self.last_s, time_s)

    def finish(self) -> None:
        """The stream has ended."""
        self._close(None)
        self.seen_until_s = np.inf

    @property
    def has_pictures(self) -> bool:
        """Whether any could be decoded."""
        return self._pictured_s > -np.inf

    def take_keyframes(self) -> list[float]:
        """Times of keyframes that were not told of before, ascending."""
        told, self._keyframes_s = self._keyframes_s, []
        return told

    def take_cuts(self) -> list[float]:
        """Times of cuts between shots that were not told of before, ascending."""
        told, self._cuts_s = sorted(self._cuts_s), []
        return told

    def show(self, intervals: Iterable[Interval]) -> dict[Interval, list[Frame]]:
        """Pictures for intervals of time that are not forgotten.

        Those of its keyframes; where it has none, its first reference frame; where it has no frame at all, the one that
        is still on screen, unless the stream has long ended. A interval for which nothing can be decoded has none.
        """
        times_s = [picture.time_s for picture in self._pictures]
        shown = {
            interval: [self._pictures[index] for index in pick_spread(times_s, *interval, self._params.frames_per_clip)]
            for interval in sorted(intervals)
        }
        for find in (self._from_keyframes, self._from_reference_frames, self._from_the_screen):
            missing = [interval for interval, pictures in shown.items() if not pictures]
            if missing:
                shown |= {interval: [picture] for interval, picture in find(missing)}
        return shown

    def forget_before(self, time_s: float) -> None:
        """Let go of all that only clips before `time_s` could need."""
        while len(self._closed) > 1 and self._closed[1].times_s[0] <= time_s:
            self._packet_bytes -= sum(self._closed.pop(0).sizes)
        on_screen = bisect_right([picture.time_s for picture in self._pictures], time_s) - 1
        del self._pictures[: max(on_screen, 0)]

    def _begin(self, packet: Packet[VideoStream], time_s: float) -> None:
        """Start a GOP with what is said to be a keyframe, and look at it unless the last picture is close."""
        if self._watch:
            self._see(decode(self.stream, None), time_s)
        luma = None
        if time_s - self._pictured_s >= min(self._spacing_s, LATENESS_S) or self._watch:
            for frame in decode_alone(packet, self.stream)[:1]:
                if self._open and not frame.key_frame:
                    self._distrust_flags()
                    self._go_on(packet, time_s)
                    return
                self._store(frame, frame_time_s(frame, self.stream, time_s))
                luma = luma_thumbnail(frame)
        self._close((time_s, luma))
        self._open = OpenGop(luma)
        self._go_on(packet, time_s)
        if time_s - self._told_s >= KEYFRAME_NEWS_S and not packet.is_discard:
            self._keyframes_s.append(time_s)
            self._told_s = time_s
        if luma is not None:  # else the finder may hold cuts back
            self.seen_until_s = time_s

    def _distrust_flags(self) -> None:
        """Some containers flag every packet as a keyframe: what seemed to be GOPs since the last true one are its."""
        self._flags_lie = True
        assert self._open is not None
        while self._open.luma is None and self._closed:
            gop = self._closed.pop()
            self._open = OpenGop(
                gop.luma,
                [*gop.packets, *self._open.packets],
                [*gop.times_s, *self._open.times_s],
                [*gop.sizes, *self._open.sizes],
            )

    def _close(self, following: tuple[float, np.ndarray | None] | None) -> None:
        """The open GOP is whole: what cuts are in it? `following` is the next keyframe's time and thumbnail."""
        if self._watch:
            self._cuts_s += self._watch.finish(following)
            self._watch = None
            self.stream.codec_context.skip_frame = "DEFAULT"
        elif self._open:
            gop = Gop(self._open.packets, self._open.times_s, self._open.sizes, self._open.luma)
            self._cuts_s += self._finder.look_at(gop, following)
            self._closed.append(gop)
        self._open = None

    def _go_on(self, packet: Packet[VideoStream], time_s: float) -> None:
        """Add a packet to the open GOP; what is too long or too large to be kept is decoded."""
        gop = self._open
        assert gop is not None
        if self._watch:
            self._see(decode(self.stream, packet), time_s)
            return
        gop.packets.append(packet)
        gop.times_s.append(time_s)
        gop.sizes.append(packet.size)
        self._packet_bytes += packet.size
        while self._packet_bytes > MAX_PACKET_BYTES and self._closed:
            self._develop(self._closed.pop(0))
        if self._packet_bytes > MAX_PACKET_BYTES or time_s - gop.times_s[0] > MAX_GOP_S:
            self._decode_as_it_comes(gop)

    def _develop(self, gop: Gop) -> None:
        """Decode a GOP to pictures for whatever clips may come, and let go of it."""
        for frame, time_s in self._reference_frames(gop):
            if time_s - self._time_of_picture_before(time_s) >= self._spacing_s:
                self._store(frame, time_s)
        self._packet_bytes -= sum(gop.sizes)

    def _decode_as_it_comes(self, gop: OpenGop) -> None:
        """From here to the next keyframe the decoder is busy with this GOP, so those before it are settled first."""
        while self._closed:
            self._develop(self._closed.pop(0))
        self._watch = CutWatch()
        self.stream.codec_context.skip_frame = "NONREF"
        for packet, time_s in zip(gop.packets, gop.times_s, strict=True):
            self._see(decode(self.stream, packet), time_s)
        gop.packets, gop.sizes, gop.times_s, self._packet_bytes = [], [], gop.times_s[:1], 0

    def _see(self, frames: Sequence[VideoFrame], packet_s: float) -> None:
        assert self._watch is not None
        for frame in frames:
            time_s = frame_time_s(frame, self.stream, packet_s)
            if time_s - self._pictured_s >= self._spacing_s:
                self._store(frame, time_s)
            self._cuts_s += self._watch.look_at(time_s, luma_thumbnail(frame))
        self.seen_until_s = max(self.seen_until_s, self._watch.seen_until_s)

    def _store(self, frame: VideoFrame, time_s: float) -> Frame:
        known = next((picture for picture in self._pictures if picture.time_s == time_s), None)
        if known:
            return known
        self._turn = self._turn or Turn.of(frame)
        jpeg = encode_picture(frame, self._turn, self._params.frame_short_side_px, self._params.jpeg_quality)
        picture = Frame(time_s, jpeg)
        insort(self._pictures, picture, key=lambda stored: stored.time_s)
        self._pictured_s = max(self._pictured_s, time_s)
        return picture

    def _time_of_picture_before(self, time_s: float) -> float:
        index = bisect_right([picture.time_s for picture in self._pictures], time_s) - 1
        return self._pictures[index].time_s if index >= 0 else -np.inf

    def _from_keyframes(self, missing: Sequence[Interval]) -> Iterator[tuple[Interval, Frame]]:
        """From keyframes that were not decoded, since a picture before the interval was close to them."""
        for interval in missing:
            for gop in self._closed:
                if interval.start_s <= gop.times_s[0] < interval.end_s:
                    for frame in decode_alone(gop.packets[0], self.stream)[:1]:
                        yield interval, self._store(frame, frame_time_s(frame, self.stream, gop.times_s[0]))
                    break

    def _from_reference_frames(self, missing: Sequence[Interval]) -> Iterator[tuple[Interval, Frame]]:
        """From the first reference frame in each interval, or the last before it where there is none."""
        by_gop: dict[int, list[Interval]] = {}
        starts_s = [gop.times_s[0] for gop in self._closed]
        for interval in missing:
            if starts_s:
                by_gop.setdefault(max(bisect_right(starts_s, interval.start_s) - 1, 0), []).append(interval)
        for index, pending in by_gop.items():
            on_screen: tuple[VideoFrame, float] | None = None
            for frame, time_s in self._reference_frames(self._closed[index]):
                while pending and time_s >= pending[0].start_s:
                    interval = pending.pop(0)
                    shown = (frame, time_s) if time_s < interval.end_s else on_screen
                    if shown:
                        yield interval, self._store(*shown)
                if not pending:
                    break
                on_screen = (frame, time_s)
            if on_screen and pending:  # for `_from_the_screen`
                self._store(*on_screen)

    def _from_the_screen(self, missing: Sequence[Interval]) -> Iterator[tuple[Interval, Frame]]:
        for interval in missing:
            index = bisect_right([picture.time_s for picture in self._pictures], interval.start_s) - 1
            if index < 0:
                continue
            picture = self._pictures[index]
            if self.last_s >= interval.start_s or interval.start_s - picture.time_s <= self._params.max_s:
                yield interval, picture

    def _reference_frames(self, gop: Gop) -> Iterator[tuple[VideoFrame, float]]:
        """Reference frames of a GOP and their times, decoded while they are asked for."""
        context = self.stream.codec_context
        context.skip_frame = "NONREF"
        try:
            for packet, packet_s in zip(gop.packets, gop.times_s, strict=True):
                for frame in decode(self.stream, packet):
                    yield frame, frame_time_s(frame, self.stream, packet_s)
            for frame in decode(self.stream, None):
                yield frame, frame_time_s(frame, self.stream, gop.times_s[-1])
        finally:
            context.flush_buffers()
            context.skip_frame = "DEFAULT"

    def _reference_thumbnails(self, gop: Gop) -> Iterator[tuple[float, np.ndarray]]:
        for frame, time_s in self._reference_frames(gop):
            yield time_s, luma_thumbnail(frame)
