"""Pictures of a recording: keyframes where there are any, else the nearest reference frames."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from xmodal_kedro.media.container import decode
from xmodal_kedro.params import ClipParams


@dataclass(frozen=True)
class Picture:
    """A stored frame.

    Attributes:
        time_s: presentation time, seconds.
        jpeg: upright, scaled down, JPEG.
    """

    time_s: float
    jpeg: bytes


def encode_picture(frame: VideoFrame, short_side_px: int, jpeg_quality: int) -> bytes:
    """Turn a frame upright, scale its short side down to `short_side_px`, and compress it as JPEG."""
    image = shrink(frame.to_ndarray(format="bgr24", threads=1), short_side_px)
    upright = np.ascontiguousarray(np.rot90(image, quarter_turns(frame.rotation)))
    _, jpeg = cv2.imencode(".jpg", upright, [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality])
    return jpeg.tobytes()


def quarter_turns(rotation_deg: float) -> int:
    """Counter-clockwise quarter turns, 0 to 3, nearest to a rotation."""
    return round(rotation_deg / 90) % 4


def shrink(image: np.ndarray, short_side_px: int) -> np.ndarray:
    """Scale a picture [height, width, 3] down so that its short side is `short_side_px`; smaller ones stay.

    A whole factor first, which OpenCV averages several times faster than a broken one, then the rest.
    """
    height, width = image.shape[:2]
    factor = min(height, width) // short_side_px
    if factor > 1:
        image = cv2.resize(image, (width // factor, height // factor), interpolation=cv2.INTER_AREA)
    if min(height, width) <= short_side_px:
        return image
    scale = short_side_px / min(height, width)
    return cv2.resize(image, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)


class KeyframePictures:
    """Gathers the keyframes of a stream in passing, far enough apart for a few in every clip.

    Attributes:
        pictures: what was gathered, times in the file's own clock.
        keyframe_times_s: times of all keyframes, decoded or not.
    """

    def __init__(self, stream: VideoStream, params: ClipParams) -> None:
        self.pictures: list[Picture] = []
        self.keyframe_times_s: list[float] = []
        self._stream = stream
        self._params = params
        self._spacing_s = params.min_s / params.frames_per_clip

    def look_at(self, packet: Packet[VideoStream]) -> None:
        """Keep the picture of a keyframe packet, unless the last one kept is close."""
        if not packet.is_keyframe:
            return
        time_s = packet_time_s(packet)
        self.keyframe_times_s.append(time_s)
        if self.pictures and 0 <= time_s - self.pictures[-1].time_s < self._spacing_s:
            return
        for frame in decode_alone(packet, self._stream)[:1]:
            jpeg = encode_picture(frame, self._params.frame_short_side_px, self._params.jpeg_quality)
            self.pictures.append(Picture(frame_time_s(frame, self._stream, packet), jpeg))


def decode_alone(packet: Packet[VideoStream], stream: VideoStream) -> list[VideoFrame]:
    """The frame of a keyframe packet without waiting for its neighbours; none if it cannot be decoded."""
    frames = decode(stream, packet) + decode(stream, None)
    stream.codec_context.flush_buffers()
    return frames


class ReferencePictures:
    """Finds a picture for stretches of time that hold no decoded keyframe, from reference frames alone.

    Decoding runs from the last keyframe before a stretch to the first frame in it; other packets are skipped.
    All times are in the file's own clock.

    Attributes:
        pictures: by stretch (start, end): the first reference frame in it, or, where none is, the one still on screen.
    """

    def __init__(
        self,
        stream: VideoStream,
        stretches_s: Sequence[tuple[float, float]],
        keyframe_times_s: Sequence[float],
        params: ClipParams,
    ) -> None:
        self.pictures: dict[tuple[float, float], Picture] = {}
        self._stream = stream
        self._params = params
        self._by_keyframe: dict[float, list[tuple[float, float]]] = {}
        self._pending: list[tuple[float, float]] = []
        self._on_screen: tuple[VideoFrame, float] | None = None
        stream.codec_context.skip_frame = "NONREF"
        keyframes_s = sorted(keyframe_times_s)
        if not keyframes_s:
            self._pending = sorted(stretches_s)
            return
        for stretch_s in sorted(stretches_s):
            before = max(bisect_right(keyframes_s, stretch_s[0]) - 1, 0)
            self._by_keyframe.setdefault(keyframes_s[before], []).append(stretch_s)

    @property
    def done(self) -> bool:
        """Whether nothing more is sought."""
        return not self._pending and not self._by_keyframe

    def look_at(self, packet: Packet[VideoStream]) -> None:
        """Decode a packet if a stretch needs it."""
        time_s = packet_time_s(packet)
        if packet.is_keyframe and time_s in self._by_keyframe:
            self._settle(still_running=True)
            self._stream.codec_context.flush_buffers()
            self._pending = self._by_keyframe.pop(time_s)
        if self._pending:
            self._see(decode(self._stream, packet), packet)

    def finish(self) -> None:
        """Settle what is open at the end of the file."""
        self._settle(still_running=False)

    def _settle(self, still_running: bool) -> None:
        """Give stretches that no frame follows the picture on screen, unless the stream has long ended."""
        if self._pending:
            self._see(decode(self._stream, None), None)
        for stretch_s in self._pending:
            if self._on_screen and (still_running or stretch_s[0] - self._on_screen[1] <= self._params.max_s):
                self._store(stretch_s, *self._on_screen)
        self._pending = []
        self._on_screen = None

    def _see(self, frames: Sequence[VideoFrame], packet: Packet[VideoStream] | None) -> None:
        for frame in frames:
            time_s = frame_time_s(frame, self._stream, packet)
            while self._pending and time_s >= self._pending[0][0]:
                stretch_s = self._pending.pop(0)
                if time_s < stretch_s[1]:
                    self._store(stretch_s, frame, time_s)
                elif self._on_screen:
                    self._store(stretch_s, *self._on_screen)
            self._on_screen = (frame, time_s)

    def _store(self, stretch_s: tuple[float, float], frame: VideoFrame, time_s: float) -> None:
        jpeg = encode_picture(frame, self._params.frame_short_side_px, self._params.jpeg_quality)
        self.pictures[stretch_s] = Picture(time_s, jpeg)


def packet_time_s(packet: Packet) -> float:
    """Presentation time of a packet, seconds; decoding time where the container has no other."""
    stamp = packet.pts if packet.pts is not None else packet.dts
    return float((stamp or 0) * packet.time_base)


def frame_time_s(frame: VideoFrame, stream: VideoStream, packet: Packet[VideoStream] | None) -> float:
    """Presentation time of a frame, seconds; the time of the packet that gave it where the frame has none."""
    stamp = frame.pts if frame.pts is not None else frame.dts
    if stamp is None or stream.time_base is None:
        return packet_time_s(packet) if packet else 0.0
    return float(stamp * stream.time_base)
