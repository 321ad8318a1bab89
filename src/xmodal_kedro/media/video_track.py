"""The frames of a recording while it is demuxed once: keyframes are decoded at once, others if a clip needs one."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from av.packet import Packet
from av.video.stream import VideoStream

from xmodal_kedro.media.frame_store import FrameStore, Interval, Thinning
from xmodal_kedro.media.frames import Frame, PictureEncoder, Times
from xmodal_kedro.media.gop_decoder import GopDecoder, TimedFrame
from xmodal_kedro.media.long_gop import LongGop
from xmodal_kedro.media.open_gop import OpenGop
from xmodal_kedro.media.shots.boundaries import LATENESS_S, ShotBoundaryDetector
from xmodal_kedro.media.shots.packet_evidence import Gop
from xmodal_kedro.media.shots.thumbnails import luma_thumbnail
from xmodal_kedro.media.still_picture import EXAMINED_FRAMES, StillWatch
from xmodal_kedro.media.stream_end import StreamEnd
from xmodal_kedro.params import ClipParams

MAX_GOP_S = 30.0
"""A longer group of pictures (GOP) is decoded while it is demuxed: its packets are not kept."""

MAX_PACKET_BYTES = 48_000_000
"""Max bytes of packets kept for clips that may need a frame from them. Above it, the oldest are decoded and dropped."""

MIN_KEYFRAME_GAP_S = 0.5
"""Keyframes nearer than this to the last one reported are not reported: if every frame is one, a few suffice."""


class VideoTrack:
    """Collects frames, keyframe times and cuts of one video stream. All times are in the file's own clock, seconds.

    Keyframes are decoded when they are demuxed, with a spacing that gives every clip a few. Other packets are kept.

    Attributes:
        stream: the stream.
        seen_until_s: cuts and keyframes before this time have been reported.
    """

    def __init__(self, stream: VideoStream, params: ClipParams) -> None:
        self.stream = stream
        self._params = params
        self._spacing_s = params.min_s / params.frames_per_clip  # between keyframes that are decoded
        self._times = Times()
        self._end = StreamEnd(stream)
        self._decoder = GopDecoder(stream, params.min_s)
        self._store = FrameStore(PictureEncoder(stream, params.frame_short_side_px, params.jpeg_quality))
        self._still = StillWatch(stream.width, stream.height, stream.codec_context.name)
        self._detector = ShotBoundaryDetector(self._thumbnails)
        # Groups of pictures (GOPs), a keyframe and the packets up to the next one.
        self._closed: list[Gop] = []  # whole ones, whose packets are kept
        self._open: OpenGop | None = None  # the one that packets are added to
        self._packet_bytes = 0  # of both
        self._long: LongGop | None = None  # decodes the open one, where it is too long or too large to be kept
        self._flags_lie = False  # packets that are no keyframes are flagged as such
        # What was found and not yet taken.
        self.seen_until_s = -np.inf
        self._keyframes_s: list[float] = []
        self._cuts_s: list[float] = []
        self._last_keyframe_s = -np.inf  # that was reported

    def look_at(self, packet: Packet[VideoStream]) -> None:
        """Add the next packet of the stream. Packets after a restart of the clock are ignored."""
        time_s = self._times.of_packet_s(packet)
        if self._open is None or (packet.is_keyframe and not self._flags_lie):
            if self._open and time_s <= self._open.times_s[0]:
                return
            self._begin(packet, time_s)
        else:
            self._go_on(packet, time_s)
        self._end.look_at(packet, time_s)

    def finish(self) -> None:
        """End the stream: look for the cuts of its last GOP."""
        self._close(None)
        self.seen_until_s = np.inf

    @property
    def start_s(self) -> float | None:
        """Earliest time of a frame so far; None before the first."""
        return self._end.start_s

    @property
    def last_s(self) -> float:
        """Latest time of a frame so far."""
        return self._end.last_s

    @property
    def end_s(self) -> float:
        """When the last frame so far leaves the screen; infinity if it is the only one."""
        return self._end.end_s

    @property
    def has_pictures(self) -> bool:
        """Whether any frame could be decoded."""
        return self._store.latest_s > -np.inf

    def is_still(self, interval: Interval) -> bool:
        """Whether one image is on screen during an interval and around it, as far as is known."""
        return self._still.is_still(interval.start_s, interval.end_s)

    def take_keyframes(self) -> list[float]:
        """Remove and return the times of keyframes since the last call, ascending."""
        keyframes_s, self._keyframes_s = self._keyframes_s, []
        return keyframes_s

    def take_cuts(self) -> list[float]:
        """Remove and return the times of cuts between shots since the last call, ascending."""
        cuts_s, self._cuts_s = sorted(self._cuts_s), []
        return cuts_s

    def show(self, intervals: Iterable[Interval]) -> dict[Interval, list[Frame]]:
        """Frames for intervals of time that are still kept. Each is on screen during its interval.

        They are its keyframes; if it has none, another frame that begins in it; if it has no frame at all, the one
        still on screen, unless the stream has long ended. If nothing can be decoded, there are none.
        """
        count = self._params.frames_per_clip
        shown = {interval: self._store.spread(*interval, count) for interval in sorted(intervals)}
        for find in (self._from_keyframes, self._from_other_frames, self._from_the_screen):
            missing = [interval for interval, frames in shown.items() if not frames]
            if missing:
                shown |= {interval: [stored] for interval, stored in find(missing)}
        return shown

    def forget_before(self, time_s: float) -> None:
        """Drop all that only clips before `time_s` could need."""
        while len(self._closed) > 1 and self._closed[1].times_s[0] <= time_s:
            self._packet_bytes -= sum(self._closed.pop(0).sizes)
        self._store.forget_before(time_s)
        self._still.forget_before(time_s)

    def _begin(self, packet: Packet[VideoStream], time_s: float) -> None:
        """Start a GOP with a packet flagged as a keyframe, and decode it unless the last decoded frame is close."""
        if self._long and self._decoder.paused_before(time_s):
            # Frames that follow the keyframe may be shown before it, and need frames of this GOP.
            self._open = OpenGop(None, times_s=[time_s])
            self._go_on(packet, time_s)
            self._report_keyframe(packet, time_s)
            return
        if self._long:
            self._long.release_decoder()
        luma = None
        if time_s - self._store.latest_s >= min(self._spacing_s, LATENESS_S) or self._long:
            frame = self._decoder.keyframe(packet)
            if frame is not None:
                if self._open and not frame.key_frame:
                    self._distrust_flags()
                    self._go_on(packet, time_s)
                    return
                shown_s = self._times.of_frame_s(frame, self.stream, time_s)
                self._store.add(frame, shown_s)
                luma = luma_thumbnail(frame)
                self._still.add_frame(shown_s, luma)
        self._close((time_s, luma))
        self._open = OpenGop(luma)
        self._go_on(packet, time_s)
        self._report_keyframe(packet, time_s)
        if luma is not None:  # else the detector may hold cuts back
            self.seen_until_s = time_s

    def _report_keyframe(self, packet: Packet[VideoStream], time_s: float) -> None:
        """Note a keyframe for `take_keyframes`, unless it is not to be shown or close to the last one."""
        if time_s - self._last_keyframe_s >= MIN_KEYFRAME_GAP_S and not packet.is_discard:
            self._keyframes_s.append(time_s)
            self._last_keyframe_s = time_s

    def _distrust_flags(self) -> None:
        """Join the GOPs since the last true keyframe: some containers flag every packet as a keyframe."""
        self._flags_lie = True
        assert self._open is not None
        while self._open.luma is None and self._closed:
            self._open = self._open.after(self._closed.pop())

    def _close(self, following: tuple[float, np.ndarray | None] | None) -> None:
        """Close the open GOP and find its cuts. `following` is the next keyframe's time and thumbnail."""
        if self._long:
            if following is None:
                self._long.release_decoder()
            self._long.close(following, following[0] if following else np.inf)
            self._take_from(self._long)
            self._long = None
        elif self._open:
            end_s = following[0] if following else self._end.end_s
            gop = self._open.close(end_s, self._decoder.pause_s)
            if self._still.add_packets(gop.times_s, gop.sizes):
                for timed in self._thumbnails(gop.head(EXAMINED_FRAMES)):
                    self._still.add_frame(*timed)
            self._cuts_s += self._detector.look_at(gop, following)
            self._closed.append(gop)
        self._open = None

    def _go_on(self, packet: Packet[VideoStream], time_s: float) -> None:
        """Add a packet to the open GOP. GOPs that are too long or too large to be kept are decoded."""
        gop = self._open
        assert gop is not None
        if self._long:
            self._long.add(packet, time_s)
            self._take_from(self._long)
            return
        gop.add(packet, time_s)
        self._packet_bytes += packet.size
        while self._packet_bytes > MAX_PACKET_BYTES and self._closed:
            self._thin_out_first()
        if self._packet_bytes > MAX_PACKET_BYTES or time_s - gop.times_s[0] > MAX_GOP_S:
            self._decode_from_now_on(gop)

    def _thin_out_first(self) -> None:
        """Decode frames of the first GOP for clips that may need them, and drop its packets."""
        gop = self._closed.pop(0)
        following = self._closed[0] if self._closed else self._open
        thinning = self._thinning(gop.times_s[0])
        for frame, time_s in self._decoder.frames(gop.packets, gop.has_pauses):
            self._store.add_all(thinning.add(frame, time_s))
        self._store.add_all(thinning.end(following.times_s[0] if following else np.inf))
        self._packet_bytes -= sum(gop.sizes)

    def _decode_from_now_on(self, gop: OpenGop) -> None:
        """Decode the packets of the open GOP, and those that will come up to the next keyframe at once."""
        while self._closed:  # what clips need of earlier GOPs, as the decoder is busy with this one until its end
            self._thin_out_first()
        self._long = LongGop(self._decoder, self._store, self._thinning(gop.times_s[0]), self._still)
        for packet, time_s in zip(gop.packets, gop.times_s, strict=True):
            self._long.add(packet, time_s)
        self._take_from(self._long)
        self._open, self._packet_bytes = OpenGop(gop.luma, times_s=gop.times_s[:1]), 0  # without its packets

    def _thinning(self, start_s: float) -> Thinning:
        """The choice of frames from there on, dense enough for clips of any length."""
        stored = self._store.begun_by(start_s)
        spacing_s = min(self._spacing_s, self._params.min_s / 2)
        return Thinning(spacing_s, stored.time_s if stored else -np.inf)

    def _take_from(self, gop: LongGop) -> None:
        """Take the cuts that were found so far."""
        self._cuts_s += gop.cuts_s
        gop.cuts_s = []
        self.seen_until_s = max(self.seen_until_s, gop.seen_until_s)

    def _from_keyframes(self, missing: Sequence[Interval]) -> Iterator[tuple[Interval, Frame]]:
        """From keyframes that were not decoded, because a decoded frame before the interval was close to them."""
        for interval in missing:
            for gop in self._closed:
                if interval.start_s <= gop.times_s[0] < interval.end_s:
                    frame = self._decoder.keyframe(gop.packets[0])
                    if frame is not None:
                        time_s = self._times.of_frame_s(frame, self.stream, gop.times_s[0])
                        yield interval, self._store.add(frame, time_s)
                    break

    def _from_other_frames(self, missing: Sequence[Interval]) -> Iterator[tuple[Interval, Frame]]:
        """From the first frame in each interval. The last one before it is stored for `_from_the_screen`."""
        by_gop: dict[int, list[Interval]] = {}
        starts_s = [gop.times_s[0] for gop in self._closed]
        for interval in missing:
            if starts_s:
                by_gop.setdefault(max(bisect_right(starts_s, interval.start_s) - 1, 0), []).append(interval)
        for index, pending in by_gop.items():
            before: TimedFrame | None = None
            for frame, time_s in self._frames_from(index, pending[-1].start_s):
                while pending and time_s >= pending[0].start_s:
                    interval = pending.pop(0)
                    if time_s < interval.end_s:
                        yield interval, self._store.add(frame, time_s)
                    elif before:
                        self._store.add(*before)
                if not pending:
                    break
                before = frame, time_s
            if before and pending:
                self._store.add(*before)

    def _from_the_screen(self, missing: Sequence[Interval]) -> Iterator[tuple[Interval, Frame]]:
        """From the frame that began before the interval, until it ends, and for the length of a clip after."""
        for interval in missing:
            stored = self._store.begun_by(interval.start_s)
            if stored and interval.start_s < max(self._end.end_s, stored.time_s + self._params.max_s):
                yield interval, stored

    def _frames_from(self, index: int, until_s: float) -> Iterator[TimedFrame]:
        """Frames of a closed GOP: if some stay long or the last ones are needed, all up to the next keyframe."""
        gop = self._closed[index]
        every = gop.has_pauses or until_s > max(gop.times_s) - self._spacing_s
        following = self._closed[index + 1] if index + 1 < len(self._closed) else self._open
        packets = list(gop.packets)
        if every and following and following.packets:  # some frames that follow a keyframe are shown before it
            shown_before = [at for at, time_s in enumerate(following.times_s) if time_s < following.times_s[0]]
            packets += following.packets[: max(shown_before, default=-1) + 1]
        return self._decoder.frames(packets, every)

    def _thumbnails(self, gop: Gop) -> Iterator[tuple[float, np.ndarray]]:
        """Time and luma thumbnail of each frame of a GOP, decoded."""
        for frame, time_s in self._decoder.frames(gop.packets, gop.has_pauses):
            yield time_s, luma_thumbnail(frame)
