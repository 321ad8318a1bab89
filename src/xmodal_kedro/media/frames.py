"""Frames as images: upright, scaled down, compressed, with their presentation times."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import cv2
import numpy as np
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from xmodal_kedro.media.colour import bgr_pixels

JPEG_QUALITY = cv2.IMWRITE_JPEG_QUALITY

MAX_PIXEL_ASPECT = 8.0
"""Pixels that are wider or higher than this are taken for an error of the file."""


@dataclass(frozen=True)
class Frame:
    """A stored frame.

    Attributes:
        time_s: presentation time, seconds.
        jpeg: upright, scaled down, JPEG.
    """

    time_s: float
    jpeg: bytes


@dataclass(frozen=True)
class Turn:
    """How an image is turned upright: transposed, then mirrored horizontally and vertically."""

    transposed: bool = False
    mirrored: bool = False
    upside_down: bool = False

    @classmethod
    def of(cls, frame: VideoFrame) -> Turn:
        """The turn in the frame's display matrix, rounded to quarter turns.

        The matrix (ISO/IEC 14496-12, 8.2.2: rows a b u, c d v, x y w in 16.16 fixed point) takes a point (p, q) to
        (a p + c q, b p + d q), with q downwards. It belongs to the stream, so it is read from one frame. Reading it
        from many would keep them in memory, since PyAV's side data and frame refer to each other.
        """
        matrix: Any = frame.side_data.get("DISPLAYMATRIX")
        if matrix is None:
            return cls()
        a, b, _, c, d = struct.unpack_from("<5i", matrix)
        transposed = abs(b) > abs(a)
        horizontal, vertical = (c, b) if transposed else (a, d)
        return cls(transposed, horizontal < 0, vertical < 0)

    @property
    def rotation_deg(self) -> int:
        """Counter-clockwise rotation, 0, 90, 180 or 270 degrees, after which the image is upright.

        A mirrored image is mirrored horizontally before it is rotated.
        """
        if self.transposed:
            return 270 if self.mirrored else 90
        return 180 if self.upside_down else 0

    def apply(self, image: np.ndarray) -> np.ndarray:
        """The image turned upright: uint8 [height, width, 3]."""
        if self.transposed:
            image = image.transpose(1, 0, 2)
        return np.ascontiguousarray(image[:: -1 if self.upside_down else 1, :: -1 if self.mirrored else 1])


class PictureEncoder:
    """Makes JPEGs of a stream's frames: upright, with square pixels, scaled down, in the colours of sRGB."""

    def __init__(self, stream: VideoStream, short_side_px: int, jpeg_quality: int) -> None:
        self._short_side_px = short_side_px
        self._jpeg_quality = jpeg_quality
        self._context = stream.codec_context
        self._turn: Turn | None = None
        declared = stream.sample_aspect_ratio  # the container's; without one, the codec's
        self._container_aspect = declared if declared != self._context.sample_aspect_ratio else None

    def jpeg(self, frame: VideoFrame) -> bytes:
        """The frame, its short side at most as long as asked for. It is never scaled up."""
        self._turn = self._turn or Turn.of(frame)
        # PyAV has no aspect ratio on frames, but the decoder has that of the last one.
        size = shrunk(frame, self._container_aspect or self._context.sample_aspect_ratio, self._short_side_px)
        image = self._turn.apply(bgr_pixels(frame, *size))
        _, jpeg = cv2.imencode(".jpg", image, [JPEG_QUALITY, self._jpeg_quality])
        return jpeg.tobytes()


def shrunk(frame: VideoFrame, pixel_aspect: Fraction | None, short_side_px: int) -> tuple[int, int]:
    """Width and height of a frame with square pixels whose short side is at most `short_side_px`.

    Args:
        pixel_aspect: width of a pixel by its height. Values that no device uses are taken for 1.
    """
    aspect = float(pixel_aspect or 1)
    if not 1 / MAX_PIXEL_ASPECT <= aspect <= MAX_PIXEL_ASPECT:
        aspect = 1.0
    width, height = frame.width * max(aspect, 1.0), frame.height / min(aspect, 1.0)
    scale = min(1.0, short_side_px / min(width, height))
    return max(round(width * scale), 1), max(round(height * scale), 1)


class Times:
    """Presentation times of packets and frames, exact. The time base, a fraction in PyAV, is read once a stream."""

    def __init__(self) -> None:
        self._stream: Stream | None = None
        self._numerator, self._denominator = 0, 1

    def of_packet_s(self, packet: Packet) -> float:
        """Presentation time of a packet, seconds; its decoding time if it has no presentation time."""
        self._use(packet.stream)
        stamp = packet.pts
        if stamp is None:
            stamp = packet.dts or 0
        return stamp * self._numerator / self._denominator

    def of_frame_s(self, frame: VideoFrame, stream: VideoStream, otherwise_s: float) -> float:
        """Presentation time of a frame of a stream, seconds; `otherwise_s` if it has none."""
        self._use(stream)
        stamp = frame.pts if frame.pts is not None else frame.dts
        return otherwise_s if stamp is None or not self._numerator else stamp * self._numerator / self._denominator

    def _use(self, stream: Stream) -> None:
        if stream is not self._stream:  # files that are joined may have other time bases
            base = stream.time_base or Fraction(0)
            self._stream, self._numerator, self._denominator = stream, base.numerator, base.denominator
