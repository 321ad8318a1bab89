"""Weather, water and fire, which fill most of the image."""

from __future__ import annotations

import cv2
import numpy as np

from xmodal_kedro.sample.images.pen import Look, Pen, colour


def rain(pen: Pen, look: Look, t: float, drive: float) -> None:
    """A darkened background, a cloud, and slanting streaks."""
    picture = pen.picture
    height, width = picture.shape[:2]
    picture[:] = (picture * 0.55 + np.array([45, 50, 60])).astype(np.uint8)
    cloud = colour(0.6, 0.08, 0.45 + 0.2 * look.shade)
    for k in range(5):
        pen.disc(-0.9 + 0.45 * k, -0.85 + 0.1 * np.sin(5 * k + 6 * look.variant), 0.36, cloud)
    slant = 10 * (look.variant - 0.5)
    for k in range(round(20 + 90 * drive)):
        x = (k * 0.618034 + look.hue) % 1.0 * width
        y = ((k * 0.754878 + 2.2 * t * (1 + 0.3 * (k % 3))) % 1.0) * height
        cv2.line(picture, (int(x), int(y)), (int(x + slant), int(y + 0.09 * height)), (205, 215, 230), 1, cv2.LINE_AA)


def sea_waves(pen: Pen, look: Look, t: float, drive: float) -> None:
    """Water to the horizon, with rolling swells and foam where they break."""
    picture = pen.picture
    height, width = picture.shape[:2]
    horizon = height * (0.3 + 0.2 * look.variant)
    x = np.arange(0, width + 6, 6)
    for k in range(5):
        near = (k + 1) / 5
        swell = (0.015 + 0.05 * near * (0.3 + drive)) * height * np.sin(x / (8 + 22 * near) + 1.6 * t + 2 * k)
        crest = horizon + (height - horizon) * 0.9 * near**1.4 - 0.12 * height + swell
        water = colour(0.5 + 0.12 * look.hue, 0.45 + 0.2 * near, 0.85 - 0.1 * k + 0.15 * (look.shade - 0.5))
        outline = np.stack([np.append(x, [width, 0]), np.append(crest, [height, height])], axis=1).astype(np.int32)
        cv2.fillPoly(picture, [outline], water, cv2.LINE_AA)
        foam = max(1, round(4 * near * drive))
        cv2.polylines(picture, [outline[: len(x)]], False, (235, 242, 245), foam, cv2.LINE_AA)


def crackling_fire(pen: Pen, look: Look, t: float, drive: float) -> None:
    """Logs, licking flames, and sparks that fly with the snaps."""
    for k, (hue, value, size) in enumerate(((0.02, 0.85, 1.0), (0.07, 0.98, 0.72), (0.14, 1.0, 0.42))):
        tongues = [(-0.7 * size, 0.75)]
        for j in range(5):
            x = (-0.6 + 0.3 * j) * size
            flicker = 0.22 * np.sin(7 * t + 2.1 * j + k) + 0.12 * np.sin(13 * t + 4.7 * j + 7 * look.variant)
            tip = 0.75 - size * (1.25 - 1.6 * abs(x) + flicker + 0.15 * drive)
            tongues += [(x + 0.1 * np.sin(5 * t + j), tip), (x + 0.15 * size, 0.45)]
        pen.polygon([*tongues, (0.7 * size, 0.75)], colour(hue, 0.95, value))
    for tilt in (-0.25, 0.25):
        log = pen.moved(0, 0.8, tilt)
        log.box(-0.85, -0.1, 0.85, 0.1, colour(0.07, 0.6, 0.22 + 0.2 * look.shade))
        log.disc(0.85, 0, 0.1, (170, 125, 80))
    for k in range(round(8 * drive)):
        rise = (0.9 * t + 0.37 * k) % 1.0
        pen.disc(0.5 * np.sin(4.3 * k + t), 0.4 - 1.4 * rise, 0.035, (255, 215, 110))
