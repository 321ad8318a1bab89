"""Luma thumbnails, and the cuts among those of successive frames."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import av
import cv2
import numpy as np

THUMBNAIL_ROWS, THUMBNAIL_COLUMNS = 18, 32

STEP = 0.3
"""Min difference between the shots on both sides of a cut, see `difference`."""
STEP_MARGIN = 0.22
"""Min margin by which that difference exceeds those within the shots beside the cut."""
CONTEXT = 2
"""Frames on each side that are compared with those of the other. A flash of fewer frames is no cut."""
MOTION = 4
"""Frames on each side whose differences measure motion. The largest is left out, as it may be another cut."""

FOUND_AGAIN, PLAIN = 0.9, 8.0
"""Min correlation of a part of one thumbnail with another, and min contrast of that part (std, grey levels)."""


def luma_thumbnail(frame: av.VideoFrame) -> np.ndarray:
    """Luma of a frame in coarse cells: uint8 [18, 32].

    A planar 8-bit frame is subsampled in place. Others are converted first.
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
    """Difference of two thumbnails: 0 if equal, about 1 if unrelated, independent of brightness and contrast."""
    return mean_distance(_levelled(first), _levelled(second))


def difference_after_motion(first: np.ndarray, second: np.ndarray) -> float:
    """The same for frames some time apart: 0 if the middle of one is found anywhere in the other."""
    rows, columns = THUMBNAIL_ROWS // 4, THUMBNAIL_COLUMNS // 4
    for image, part in ((first, second), (second, first)):
        middle = part[rows:-rows, columns:-columns]
        if middle.std() > PLAIN and cv2.matchTemplate(image, middle, cv2.TM_CCOEFF_NORMED).max() > FOUND_AGAIN:
            return 0.0
    return difference(first, second)


def _levelled(thumbnail: np.ndarray) -> np.ndarray:
    """Normalise brightness and contrast. The constant keeps the noise of plain frames from being amplified."""
    mean, std = cv2.meanStdDev(thumbnail)  # much faster than NumPy's on so few pixels
    levelled: np.ndarray = (thumbnail.astype(np.float32) - np.float32(mean.item())) / np.float32(std.item() + 8)
    return levelled


def mean_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Mean of the absolute differences of two arrays."""
    return cv2.norm(first, second, cv2.NORM_L1) / first.size


def cuts_among(times_s: Sequence[float], thumbnails: Sequence[np.ndarray]) -> list[float]:
    """Hard cuts in successive frames: times of the first frames of new shots.

    The frames on one side of a cut are alike and unlike those on the other. Not cuts are: motion, where neighbours
    differ as well; a flash, after which the scene returns; a dissolve.
    """
    frames = [_levelled(thumbnail) for thumbnail in thumbnails]
    steps = [0.0, *(mean_distance(first, second) for first, second in pairwise(frames))]
    return [times_s[index] for index in range(1, len(frames)) if _is_cut(frames, steps, index)]


def _is_cut(frames: Sequence[np.ndarray], steps: Sequence[float], index: int) -> bool:
    if steps[index] < STEP:
        return False
    before, after = frames[max(0, index - CONTEXT) : index], frames[index : index + CONTEXT]
    across = min(mean_distance(first, second) for first in before for second in after)
    within = max(mean_distance(side[0], side[-1]) for side in (before, after))
    motion = sorted([0.0, 0.0, *steps[max(0, index - MOTION) : index], *steps[index + 1 : index + 1 + MOTION]])[-2]
    return across >= max(STEP, max(within, motion) + STEP_MARGIN)
