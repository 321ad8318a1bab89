"""Frames as images: upright, scaled down, compressed, with their presentation times."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation
from av.video.stream import VideoStream

from xmodal_kedro.media.container import decode

JPEG_QUALITY = cv2.IMWRITE_JPEG_QUALITY


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

    def apply(self, image: np.ndarray) -> np.ndarray:
        """The image turned upright: uint8 [height, width, 3]."""
        if self.transposed:
            image = image.transpose(1, 0, 2)
        return np.ascontiguousarray(image[:: -1 if self.upside_down else 1, :: -1 if self.mirrored else 1])


def encode_picture(frame: VideoFrame, turn: Turn, short_side_px: int, jpeg_quality: int) -> bytes:
    """Turn a frame upright, scale its short side down to `short_side_px`, and compress it as JPEG."""
    _, jpeg = cv2.imencode(".jpg", turn.apply(shrink(frame, short_side_px)), [JPEG_QUALITY, jpeg_quality])
    return jpeg.tobytes()


def shrink(frame: VideoFrame, short_side_px: int) -> np.ndarray:
    """A frame as BGR, uint8 [height, width, 3], its short side scaled down to `short_side_px`, never up.

    Frames in YUV are scaled before they are converted, with half the chroma's resolution, as the JPEG has it too. That
    is five times faster than converting first. The colour range and matrix are the frame's.
    """
    scale = min(1.0, short_side_px / min(frame.width, frame.height))
    width, height = (max(round(side * scale), 1) for side in (frame.width, frame.height))
    if frame.format.name.startswith("yuv"):
        frame = frame.reformat(width, height, "yuv420p", interpolation=Interpolation.AREA, threads=1)
    return frame.reformat(width, height, "bgr24", interpolation=Interpolation.AREA, threads=1).to_ndarray()


def packet_time_s(packet: Packet) -> float:
    """Presentation time of a packet, seconds; its decoding time if it has no presentation time."""
    stamp = packet.pts if packet.pts is not None else packet.dts
    return float((stamp or 0) * packet.time_base)


def frame_time_s(frame: VideoFrame, stream: VideoStream, otherwise_s: float) -> float:
    """Presentation time of a frame, seconds; `otherwise_s` if it has none."""
    stamp = frame.pts if frame.pts is not None else frame.dts
    if stamp is None or stream.time_base is None:
        return otherwise_s
    return float(stamp * stream.time_base)


def decode_alone(packet: Packet[VideoStream], stream: VideoStream) -> list[VideoFrame]:
    """The frame of a keyframe packet, without waiting for later packets; empty if it cannot be decoded."""
    frames = decode(stream, packet) + decode(stream, None)
    stream.codec_context.flush_buffers()
    return frames
