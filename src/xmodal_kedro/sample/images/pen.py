"""A pen in an object's own coordinates, and the random properties of objects."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
"""[height, width, 3] RGB."""
Colour = tuple[int, int, int]
SUBPIXEL_BITS = 4


@dataclass(frozen=True)
class Look:
    """Properties in which objects of one class differ, drawn at random once per scene.

    Attributes:
        x, y: centre, as fractions of the image's width and height.
        size: half height of the object, as a fraction of the image's height.
        tilt: rotation, radians.
        hue: 0..1, colour of the parts whose colour varies.
        shade: 0..1, dark to light.
        variant: 0..1, selects one of several shapes.
    """

    x: float
    y: float
    size: float
    tilt: float
    hue: float
    shade: float
    variant: float


def random_look(rng: Generator) -> Look:
    """A random look, with the object near the middle."""
    return Look(
        x=rng.uniform(0.38, 0.62),
        y=rng.uniform(0.42, 0.58),
        size=rng.uniform(0.24, 0.42),
        tilt=rng.normal(0, 0.09),
        hue=rng.random(),
        shade=rng.random(),
        variant=rng.random(),
    )


def colour(hue: float, saturation: float, value: float) -> Colour:
    """RGB of a colour given in HSV, each 0..1; hue wraps around."""
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, min(max(saturation, 0), 1), min(max(value, 0), 1))
    return round(255 * red), round(255 * green), round(255 * blue)


class Pen:
    """Draws on an image in an object's coordinates: x to the right, y down, the object within -1..1.

    Args:
        picture: image to draw on, changed in place.
        look: position, size and tilt of the object.
    """

    def __init__(self, picture: Picture, look: Look) -> None:
        self.picture = picture
        height, width = picture.shape[:2]
        self._centre = np.array([look.x * width, look.y * height])
        self._scale = look.size * height
        self._tilt = look.tilt

    def moved(self, x: float, y: float, tilt: float = 0.0) -> Pen:
        """A pen with its origin at (x, y) of this one, turned by `tilt` radians."""
        pen = object.__new__(Pen)
        pen.picture, pen._scale = self.picture, self._scale
        pen._centre, pen._tilt = self._at([(x, y)])[0], self._tilt + tilt
        return pen

    def _at(self, points: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
        cosine, sine = np.cos(self._tilt), np.sin(self._tilt)
        turn = np.array([[cosine, sine], [-sine, cosine]])
        return self._centre + self._scale * (np.asarray(points, np.float64) @ turn)

    def _fixed(self, points: Sequence[tuple[float, float]]) -> NDArray[np.int32]:
        return np.round(self._at(points) * (1 << SUBPIXEL_BITS)).astype(np.int32)

    def polygon(self, points: Sequence[tuple[float, float]], fill: Colour) -> None:
        """Filled polygon."""
        cv2.fillPoly(self.picture, [self._fixed(points)], fill, cv2.LINE_AA, SUBPIXEL_BITS)

    def line(self, points: Sequence[tuple[float, float]], stroke: Colour, width: float = 0.06) -> None:
        """Open line through points; `width` in the object's units."""
        thick = max(1, round(width * self._scale))
        cv2.polylines(self.picture, [self._fixed(points)], False, stroke, thick, cv2.LINE_AA, SUBPIXEL_BITS)

    def disc(self, x: float, y: float, radius: float, fill: Colour) -> None:
        """Filled circle."""
        self.ellipse(x, y, radius, radius, fill)

    def ellipse(self, x: float, y: float, half_width: float, half_height: float, fill: Colour, turn: float = 0) -> None:
        """Filled ellipse, turned by `turn` radians."""
        (centre,) = self._fixed([(x, y)])
        unit = self._scale * (1 << SUBPIXEL_BITS)
        axes = (max(1, round(half_width * unit)), max(1, round(half_height * unit)))
        angle = float(np.degrees(self._tilt + turn))
        centre_xy = (int(centre[0]), int(centre[1]))
        cv2.ellipse(self.picture, centre_xy, axes, angle, 0, 360, fill, -1, cv2.LINE_AA, SUBPIXEL_BITS)

    def box(self, left: float, top: float, right: float, bottom: float, fill: Colour) -> None:
        """Filled rectangle."""
        self.polygon([(left, top), (right, top), (right, bottom), (left, bottom)], fill)
