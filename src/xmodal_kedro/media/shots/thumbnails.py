"""Small pictures of brightness, and the cuts that show among those of successive frames."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import av
import cv2
import numpy as np

THUMBNAIL_ROWS, THUMBNAIL_COLUMNS = 18, 32

STEP = 0.3
"""Least difference between the shots on both sides of a cut, see `difference`."""
STEP_MARGIN = 0.22
"""How far that difference exceeds those within the shots right beside the cut."""
CONTEXT = 2
"""Frames of each side that are compared with those of the other: a flash of fewer frames is no cut."""
MOTION = 4
"""Frames on each side whose differences tell how much moves; the largest is left out, as it may be another cut."""

FOUND_AGAIN, PLAIN = 0.9, 8.0
"""Correlation with which a part of one picture is found in another, and the contrast that it must have, grey levels."""


def luma_thumbnail(frame: av.VideoFrame) -> np.ndarray:
    """Brightness of a frame in coarse cells: uint8 [18, 32].

    A planar 8-bit frame is read in place, every few pixels; others are converted first.
    """
    if not frame.format.name.startswith(("yuv", "nv", "gray")) or frame.format.components[0].bits != 8:
        frame = frame.reformat(format="gray", threads=1)
    plane = frame.planes[0]
    if frame.format.is_planar or frame.format.name == "gray":
        pixels: np.ndarray = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)[
            :, : plane.width
        ]
    else:
        pixels = frame.to_ndarray(format="gray", threads=1)
    row_step = max(1, pixels.shape[0] // (4 * THUMBNAIL_ROWS))
    column_step = max(1, pixels.shape[1] // (8 * THUMBNAIL_COLUMNS))
    size = (THUMBNAIL_COLUMNS, THUMBNAIL_ROWS)
    thumbnail: np.ndarray = cv2.resize(pixels[::row_step, ::column_step], size, interpolation=cv2.INTER_AREA)
    return thumbnail


def difference(first: np.ndarray, second: np.ndarray) -> float:
    """How unlike two thumbnails are: 0 for the same, about 1 for unrelated ones, whatever the light."""
    return float(np.abs(_levelled(first) - _levelled(second)).mean())


def difference_after_motion(first: np.ndarray, second: np.ndarray) -> float:
    """The same for frames some time apart: 0 where the middle of one is found anywhere in the other."""
    rows, columns = THUMBNAIL_ROWS // 4, THUMBNAIL_COLUMNS // 4
    for image, part in ((first, second), (second, first)):
        middle = part[rows:-rows, columns:-columns]
        if middle.std() > PLAIN and cv2.matchTemplate(image, middle, cv2.TM_CCOEFF_NORMED).max() > FOUND_AGAIN:
            return 0.0
    return difference(first, second)


def _levelled(thumbnail: np.ndarray) -> np.ndarray:
    """Without brightness and contrast; the constant keeps the noise of plain pictures from being blown up."""
    pixels = thumbnail.astype(np.float32)
    levelled: np.ndarray = (pixels - pixels.mean()) / (pixels.std() + 8)
    return levelled


def cuts_among(times_s: Sequence[float], thumbnails: Sequence[np.ndarray]) -> list[float]:
    """Hard cuts in successive frames: times of the first frames of new shots.

    The frames on one side of a cut are alike and unlike those on the other. Motion, which makes neighbours differ as
    well, a flash, after which the picture comes back, and a dissolve are not cuts.
    """
    frames = [_levelled(thumbnail) for thumbnail in thumbnails]
    steps = [0.0, *(float(np.abs(second - first).mean()) for first, second in pairwise(frames))]
    return [times_s[index] for index in range(1, len(frames)) if _is_cut(frames, steps, index)]


def _is_cut(frames: Sequence[np.ndarray], steps: Sequence[float], index: int) -> bool:
    if steps[index] < STEP:
        return False
    before, after = frames[max(0, index - CONTEXT) : index], frames[index : index + CONTEXT]
    across = min(float(np.abs(first - second).mean()) for first in before for second in after)
    within = max(float(np.abs(side[0] - side[-1]).mean()) for side in (before, after))
    motion = sorted([0.0, 0.0, *steps[max(0, index - MOTION) : index], *steps[index + 1 : index + 1 + MOTION]])[-2]
    return across >= max(STEP, max(within, motion) + STEP_MARGIN)
