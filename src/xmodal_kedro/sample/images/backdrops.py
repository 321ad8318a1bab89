"""Backgrounds of objects: rooms, land, streets, plain and textured surfaces."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator

from xmodal_kedro.sample.images.pen import Colour, Picture, colour


def backdrop(rng: Generator, width: int, height: int) -> Picture:
    """A random background without any object that makes sound."""
    kind = rng.choice(["land", "room", "street", "surface"])
    picture = _gradient(rng, width, height)
    if kind == "land":
        _hills(rng, picture)
    elif kind == "room":
        _room(rng, picture)
    elif kind == "street":
        _houses(rng, picture)
    grain = cv2.resize(rng.normal(0, rng.uniform(2, 14), (height // 2, width // 2)), (width, height))
    return np.clip(picture + grain[..., None], 0, 255).astype(np.uint8)


def _gradient(rng: Generator, width: int, height: int) -> Picture:
    hue, saturation = rng.random(), rng.uniform(0.05, 0.5)
    top = np.array(colour(hue, saturation, rng.uniform(0.3, 1.0)))
    bottom = np.array(colour(hue + rng.normal(0, 0.08), saturation, rng.uniform(0.3, 1.0)))
    share = np.linspace(0, 1, height)[:, None, None]
    return np.broadcast_to(top * (1 - share) + bottom * share, (height, width, 3)).astype(np.uint8, order="C")


def _hills(rng: Generator, picture: Picture) -> None:
    height, width = picture.shape[:2]
    x = np.arange(0, width + 8, 8)
    base = rng.uniform(0.5, 0.75)
    for _ in range(2):
        ridge = height * (base + 0.06 * np.sin(x / rng.uniform(12, 40) + rng.uniform(0, 6)))
        outline = np.stack([np.append(x, [width, 0]), np.append(ridge, [height, height])], axis=1)
        cv2.fillPoly(picture, [outline.astype(np.int32)], _earth(rng), cv2.LINE_AA)
        base += 0.12


def _earth(rng: Generator) -> Colour:
    return colour(rng.uniform(0.08, 0.4), rng.uniform(0.2, 0.6), rng.uniform(0.25, 0.75))


def _room(rng: Generator, picture: Picture) -> None:
    height, width = picture.shape[:2]
    wall, stripe = colour(rng.random(), rng.uniform(0, 0.35), rng.uniform(0.45, 0.95)), rng.integers(8, 28)
    floor = int(height * rng.uniform(0.65, 0.9))
    picture[:floor] = wall
    if rng.random() < 0.6:
        for left in range(0, width, int(2 * stripe)):
            picture[:floor, left : left + int(stripe)] = np.array(wall) * 0.92
    picture[floor:] = colour(rng.uniform(0.03, 0.12), rng.uniform(0.3, 0.6), rng.uniform(0.25, 0.6))


def _houses(rng: Generator, picture: Picture) -> None:
    height, width = picture.shape[:2]
    ground, left = int(height * rng.uniform(0.7, 0.85)), 0
    while left < width:
        right = left + int(rng.integers(20, 50))
        top = int(height * rng.uniform(0.15, 0.5))
        picture[top:ground, left:right] = colour(rng.random(), rng.uniform(0.05, 0.3), rng.uniform(0.3, 0.8))
        picture[top + 6 : ground : 14, left + 4 : right - 4] = colour(0.15, 0.3, rng.uniform(0.3, 0.9))
        left = right + int(rng.integers(0, 8))
    picture[ground:] = colour(0.6, 0.05, rng.uniform(0.25, 0.5))
