"""The frames of a recording while it is demuxed once: keyframes are decoded at once, others if a clip needs one."""

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
"""A longer group of pictures (GOP) is decoded while it is demuxed: its packets are not kept."""

MAX_PACKET_BYTES = 48_000_000
"""Max bytes of packets kept for clips that may need a frame from them. Above it, the oldest are decoded and dropped."""

MIN_KEYFRAME_GAP_S = 0.5
"""Keyframes nearer than this to the last one reported are not reported: if every frame is one, a few suffice."""


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
    """Collects frames, keyframe times and cuts of one video stream. All times are in the file's own clock, seconds.

    Keyframes are decoded when they are demuxed, with a spacing that gives every clip a few. Other packets are kept,
    undecoded, until no clip can need them. The stream's only decoder works in bursts that each start at a keyframe.

    Attributes:
        stream: the stream.
        start_s: earliest time of a packet so far; None before the first.
        seen_until_s: cuts and keyframes before this time have been reported.
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
        self._detector = ShotBoundaryDetector(self._reference_thumbnails)
        self._watch: CutWatch | None = None
        self._frames: list[Frame] = []
        self._closed: list[Gop] = []
        self._open: OpenGop | None = None
        self._packet_bytes = 0
        self._keyframes_s: list[float] = []
        self._cuts_s: list[float] = []
        self._reported_s = self._decoded_s = -np.inf
        # Scaling frames down hides block edges anyway. The filter that smoothes them takes a quarter of the decoding.
        stream.codec_context.options = {**stream.codec_context.options, "skip_loop_filter": "all"}

    def look_at(self, packet: Packet[VideoStream]) -> None:
        """Add the next packet of the stream. Packets after a restart of the clock are ignored."""
        time_s = packet_time_s(packet)
        if not packet.is_discard:  # by an edit list, the first packets may be decoded but not shown
            self.start_s = time_s if self.start_s is None else min(self.start_s, time_s)
        if self._open is None or (packet.is_keyframe and not self._flags_lie):
            if self._open and time_s <= self._open.times_s[0]:
                return
            self._begin(packet, time_s)
        else:
            self._go_on(packet, time_s)
        self.last_s = max(self.last_s, time_s)

    def finish(self) -> None:
        """End the stream: look for the cuts of its last GOP."""
        self._close(None)
        self.seen_until_s = np.inf

    @property
    def has_pictures(self) -> bool:
        """Whether any frame could be decoded."""
        return self._decoded_s > -np.inf

    def take_keyframes(self) -> list[float]:
        """Remove and return the times of keyframes since the last call, ascending."""
        keyframes_s, self._keyframes_s = self._keyframes_s, []
        return keyframes_s

    def take_cuts(self) -> list[float]:
        """Remove and return the times of cuts between shots since the last call, ascending."""
        cuts_s, self._cuts_s = sorted(self._cuts_s), []
        return cuts_s

    def show(self, intervals: Iterable[Interval]) -> dict[Interval, list[Frame]]:
        """Frames for intervals of time that are still kept.

        They are the interval's keyframes; if it has none, its first reference frame; if it has no frame at all, the
        frame still on screen, unless the stream has long ended. If nothing can be decoded, there are none.
        """
        times_s = [stored.time_s for stored in self._frames]
        shown = {
            interval: [self._frames[index] for index in pick_spread(times_s, *interval, self._params.frames_per_clip)]
            for interval in sorted(intervals)
        }
        for find in (self._from_keyframes, self._from_reference_frames, self._from_the_screen):
            missing = [interval for interval, frames in shown.items() if not frames]
            if missing:
                shown |= {interval: [stored] for interval, stored in find(missing)}
        return shown

    def forget_before(self, time_s: float) -> None:
        """Drop all that only clips before `time_s` could need."""
        while len(self._closed) > 1 and self._closed[1].times_s[0] <= time_s:
            self._packet_bytes -= sum(self._closed.pop(0).sizes)
        on_screen = bisect_right([stored.time_s for stored in self._frames], time_s) - 1
        del self._frames[: max(on_screen, 0)]

    def _begin(self, packet: Packet[VideoStream], time_s: float) -> None:
        """Start a GOP with a packet flagged as a keyframe, and decode it unless the last decoded frame is close."""
        if self._watch:
            self._add_frames(decode(self.stream, None), time_s)
        luma = None
        if time_s - self._decoded_s >= min(self._spacing_s, LATENESS_S) or self._watch:
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
        if time_s - self._reported_s >= MIN_KEYFRAME_GAP_S and not packet.is_discard:
            self._keyframes_s.append(time_s)
            self._reported_s = time_s
        if luma is not None:  # else the detector may hold cuts back
            self.seen_until_s = time_s

    def _distrust_flags(self) -> None:
        """Join the GOPs since the last true keyframe: some containers flag every packet as a keyframe."""
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
        """Close the open GOP and find its cuts. `following` is the next keyframe's time and thumbnail."""
        if self._watch:
            self._cuts_s += self._watch.finish(following)
            self._watch = None
            self.stream.codec_context.skip_frame = "DEFAULT"
        elif self._open:
            gop = Gop(self._open.packets, self._open.times_s, self._open.sizes, self._open.luma)
            self._cuts_s += self._detector.look_at(gop, following)
            self._closed.append(gop)
        self._open = None

    def _go_on(self, packet: Packet[VideoStream], time_s: float) -> None:
        """Add a packet to the open GOP. GOPs that are too long or too large to be kept are decoded."""
        gop = self._open
        assert gop is not None
        if self._watch:
            self._add_frames(decode(self.stream, packet), time_s)
            return
        gop.packets.append(packet)
        gop.times_s.append(time_s)
        gop.sizes.append(packet.size)
        self._packet_bytes += packet.size
        while self._packet_bytes > MAX_PACKET_BYTES and self._closed:
            self._store_frames(self._closed.pop(0))
        if self._packet_bytes > MAX_PACKET_BYTES or time_s - gop.times_s[0] > MAX_GOP_S:
            self._decode_as_it_comes(gop)

    def _store_frames(self, gop: Gop) -> None:
        """Decode frames of a GOP for clips that may need them, and drop its packets."""
        for frame, time_s in self._reference_frames(gop):
            if time_s - self._frame_time_before(time_s) >= self._spacing_s:
                self._store(frame, time_s)
        self._packet_bytes -= sum(gop.sizes)

    def _decode_as_it_comes(self, gop: OpenGop) -> None:
        """Decode the open GOP as it comes, up to the next keyframe. GOPs before need the decoder, so they go first."""
        while self._closed:
            self._store_frames(self._closed.pop(0))
        self._watch = CutWatch()
        self.stream.codec_context.skip_frame = "NONREF"
        for packet, time_s in zip(gop.packets, gop.times_s, strict=True):
            self._add_frames(decode(self.stream, packet), time_s)
        gop.packets, gop.sizes, gop.times_s, self._packet_bytes = [], [], gop.times_s[:1], 0

    def _add_frames(self, frames: Sequence[VideoFrame], packet_s: float) -> None:
        assert self._watch is not None
        for frame in frames:
            time_s = frame_time_s(frame, self.stream, packet_s)
            if time_s - self._decoded_s >= self._spacing_s:
                self._store(frame, time_s)
            self._cuts_s += self._watch.look_at(time_s, luma_thumbnail(frame))
        self.seen_until_s = max(self.seen_until_s, self._watch.seen_until_s)

    def _store(self, frame: VideoFrame, time_s: float) -> Frame:
        known = next((stored for stored in self._frames if stored.time_s == time_s), None)
        if known:
            return known
        self._turn = self._turn or Turn.of(frame)
        jpeg = encode_picture(frame, self._turn, self._params.frame_short_side_px, self._params.jpeg_quality)
        stored = Frame(time_s, jpeg)
        insort(self._frames, stored, key=lambda stored: stored.time_s)
        self._decoded_s = max(self._decoded_s, time_s)
        return stored

    def _frame_time_before(self, time_s: float) -> float:
        index = bisect_right([stored.time_s for stored in self._frames], time_s) - 1
        return self._frames[index].time_s if index >= 0 else -np.inf

    def _from_keyframes(self, missing: Sequence[Interval]) -> Iterator[tuple[Interval, Frame]]:
        """From keyframes that were not decoded, because a decoded frame before the interval was close to them."""
        for interval in missing:
            for gop in self._closed:
                if interval.start_s <= gop.times_s[0] < interval.end_s:
                    for frame in decode_alone(gop.packets[0], self.stream)[:1]:
                        yield interval, self._store(frame, frame_time_s(frame, self.stream, gop.times_s[0]))
                    break

    def _from_reference_frames(self, missing: Sequence[Interval]) -> Iterator[tuple[Interval, Frame]]:
        """From the first reference frame in each interval, or the last one before it if there is none."""
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
            index = bisect_right([stored.time_s for stored in self._frames], interval.start_s) - 1
            if index < 0:
                continue
            stored = self._frames[index]
            if self.last_s >= interval.start_s or interval.start_s - stored.time_s <= self._params.max_s:
                yield interval, stored

    def _reference_frames(self, gop: Gop) -> Iterator[tuple[VideoFrame, float]]:
        """Reference frames of a GOP and their times, decoded lazily."""
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
