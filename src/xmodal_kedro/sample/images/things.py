"""Things and machines. `t` is the scene's time in seconds; `drive` 0..1 is the current loudness of its sound."""

from __future__ import annotations

import numpy as np

from xmodal_kedro.sample.images.animals import DARK, WHITE
from xmodal_kedro.sample.images.pen import Colour, Look, Pen, colour

RED: Colour = (200, 20, 20)


def clock_tick(pen: Pen, look: Look, t: float, drive: float) -> None:
    """A clock whose second hand quivers at every tick."""
    pen.disc(0, 0, 0.98, colour(look.hue, 0.5, 0.2 + 0.6 * look.shade))
    pen.disc(0, 0, 0.85, WHITE)
    for mark in range(12):
        angle = np.pi * mark / 6
        x, y = np.sin(angle), -np.cos(angle)
        pen.line([(0.68 * x, 0.68 * y), (0.8 * x, 0.8 * y)], DARK, 0.05)
    hour, minute = 6.3 * look.variant, 75 * look.variant
    second = np.pi / 30 * np.floor(t) + 0.15 * drive
    for length, angle, width, paint in ((0.45, hour, 0.1, DARK), (0.65, minute, 0.07, DARK), (0.75, second, 0.03, RED)):
        pen.line([(0, 0), (length * np.sin(angle), -length * np.cos(angle))], paint, width)
    pen.disc(0, 0, 0.07, DARK)


def plate(pen: Pen, look: Look, t: float, drive: float) -> None:
    """A round plate with a patterned rim: looks like the clock, makes no sound."""
    pen.disc(0, 0, 0.98, colour(look.hue, 0.5, 0.3 + 0.6 * look.shade))
    pen.disc(0, 0, 0.88, WHITE)
    dots = 8 + round(8 * look.variant)
    for k in range(dots):
        angle = 2 * np.pi * k / dots
        pen.disc(0.74 * np.sin(angle), -0.74 * np.cos(angle), 0.06, colour(look.hue + 0.3, 0.7, 0.7))
    pen.disc(0, 0, 0.55, (225, 225, 222))
    pen.disc(0, 0, 0.5, WHITE)


def church_bells(pen: Pen, look: Look, t: float, drive: float) -> None:
    """A bell under its yoke that swings to one side with the blow and back."""
    bronze = colour(0.09 + 0.05 * look.hue, 0.6, 0.35 + 0.5 * look.shade)
    dark = (bronze[0] // 2, bronze[1] // 2, bronze[2] // 2)
    pen.box(-0.75, -1.0, 0.75, -0.85, (85, 60, 40))
    swing = pen.moved(0, -0.85, 0.55 * drive * np.sign(np.sin(3.3 * t)))
    swing.disc(0.0, 1.5, 0.13, dark)
    right = [(0.2, 0.1), (0.38, 0.35), (0.45, 0.9), (0.75, 1.4)]
    swing.polygon([*right, *((-x, y) for x, y in reversed(right))], bronze)
    swing.line([(-0.7, 1.3), (0.7, 1.3)], dark, 0.06)
    swing.line([(-0.45, 0.85), (0.45, 0.85)], dark, 0.04)
    swing.polygon([(-0.25, 0.2), (-0.12, 0.2), (-0.28, 1.2), (-0.45, 1.2)], WHITE if look.shade > 0.6 else bronze)


def siren(pen: Pen, look: Look, t: float, drive: float) -> None:
    """An ambulance: a van whose lights flash while its siren sounds."""
    _van(pen, look, t, drive, colour(0.0, 0.05, 0.8 + 0.2 * look.shade))
    stripe = (200, 30, 30) if look.variant < 0.5 else (30, 60, 190)
    pen.box(-0.95, 0.15, 0.95, 0.28, stripe)
    pen.box(-0.5, -0.25, -0.1, -0.13, stripe)
    pen.box(-0.36, -0.39, -0.24, 0.01, stripe)
    lit = drive > 0.1 and int(5 * t) % 2 == 0
    pen.box(-0.1, -0.78, 0.2, -0.6, (90, 170, 255) if lit else (30, 60, 150))
    if lit:
        pen.disc(0.05, -0.75, 0.2, (150, 210, 255))


def engine(pen: Pen, look: Look, t: float, drive: float) -> None:
    """A van that shakes with its engine and puffs exhaust."""
    _van(pen, look, t, drive, colour(look.hue, 0.15 + 0.6 * look.variant, 0.35 + 0.6 * look.shade))
    for k in range(round(4 * drive)):
        drift = (t * 1.5 + 0.25 * k) % 1.0
        pen.disc(-1.05 - 0.5 * drift, 0.45 - 0.25 * drift, 0.06 + 0.1 * drift, (150, 150, 150))


def _van(pen: Pen, look: Look, t: float, drive: float, paint: Colour) -> None:
    shaken = pen.moved(0, 0.03 * drive * np.sin(40 * t))
    shaken.polygon([(-0.95, -0.6), (0.45, -0.6), (0.7, -0.1), (0.98, 0.0), (0.98, 0.5), (-0.95, 0.5)], paint)
    shaken.polygon([(0.2, -0.48), (0.4, -0.48), (0.6, -0.1), (0.2, -0.1)], (150, 190, 210))
    for x in (-0.55, 0.58):
        pen.disc(x, 0.52, 0.24, DARK)
        pen.disc(x, 0.52, 0.1, (150, 150, 155))
    shaken.disc(0.94, 0.2, 0.07, (250, 240, 170))


def helicopter(pen: Pen, look: Look, t: float, drive: float) -> None:
    """A helicopter whose rotor turns while it sounds, and stands still otherwise."""
    paint = colour(look.hue, 0.3 + 0.5 * look.variant, 0.25 + 0.6 * look.shade)
    hover = pen.moved(0.05 * np.sin(1.3 * t), 0.06 * np.sin(1.9 * t))
    hover.polygon([(-0.2, -0.15), (-1.05, -0.2), (-1.05, -0.1), (-0.2, 0.15)], paint)
    hover.polygon([(-1.1, -0.45), (-0.95, -0.2), (-1.1, -0.05)], paint)
    hover.ellipse(0.15, 0.05, 0.5, 0.36, paint)
    hover.ellipse(0.38, 0.0, 0.24, 0.22, (170, 210, 230))
    hover.line([(-0.2, 0.55), (0.6, 0.55)], DARK, 0.05)
    for x in (0.0, 0.35):
        hover.line([(x, 0.35), (x, 0.55)], DARK, 0.04)
    hover.line([(0.12, -0.3), (0.12, -0.5)], DARK, 0.06)
    span = 1.1 * (abs(np.cos(23 * t)) if drive > 0.05 else 1.0)
    hover.line([(0.12 - span, -0.5), (0.12 + span, -0.5)], DARK, 0.05)


def airship(pen: Pen, look: Look, t: float, drive: float) -> None:
    """An airship: in the air like a helicopter, makes no sound."""
    paint = colour(look.hue, 0.3 + 0.5 * look.variant, 0.35 + 0.6 * look.shade)
    afloat = pen.moved(0.08 * np.sin(0.8 * t), 0.05 * np.sin(0.6 * t))
    afloat.polygon([(-0.7, 0), (-1.1, -0.4), (-1.05, 0.4)], paint)
    afloat.ellipse(0, 0, 0.95, 0.4, paint)
    afloat.line([(-0.9, 0), (0.9, 0)], (paint[0] // 2, paint[1] // 2, paint[2] // 2), 0.05)
    afloat.box(-0.2, 0.38, 0.3, 0.56, DARK)


def chainsaw(pen: Pen, look: Look, t: float, drive: float) -> None:
    """A chainsaw whose teeth run along the bar, with flying sawdust."""
    paint = colour((0.05, 0.0, 0.3)[int(2.99 * look.variant)], 0.8, 0.5 + 0.45 * look.shade)
    shaken = pen.moved(0, 0.05 * drive * np.sin(37 * t), -0.1)
    shaken.polygon([(0.0, -0.12), (1.15, -0.1), (1.22, 0.0), (1.15, 0.12), (0.0, 0.14)], (175, 178, 182))
    for k in range(10):
        x = ((k + (6 * t if drive > 0.05 else 0)) % 10) / 10 * 1.15
        shaken.box(x, -0.17, x + 0.05, -0.09, DARK)
        shaken.box(1.1 - x, 0.1, 1.15 - x, 0.18, DARK)
    shaken.polygon([(-0.75, -0.3), (0.1, -0.35), (0.15, 0.35), (-0.75, 0.35)], paint)
    shaken.line([(-0.65, -0.3), (-0.4, -0.65), (0.05, -0.55), (0.05, -0.3)], DARK, 0.1)
    shaken.line([(-0.75, 0.25), (-1.1, 0.3), (-1.1, -0.1), (-0.75, -0.15)], DARK, 0.12)
    shaken.disc(-0.3, 0.02, 0.16, WHITE)
    for k in range(round(10 * drive)):
        flight = (2.3 * t + 0.1 * k) % 1.0
        pen.disc(0.4 + 0.1 * np.sin(9 * k) - 0.3 * flight, 0.25 + 0.7 * flight, 0.03, (225, 195, 130))


def drum(pen: Pen, look: Look, t: float, drive: float) -> None:
    """A drum with sticks that hit its head."""
    shell = colour(look.hue, 0.75, 0.35 + 0.5 * look.shade)
    pen.box(-0.75, -0.15, 0.75, 0.7, shell)
    pen.ellipse(0, 0.7, 0.75, 0.25, shell)
    for x in (-0.7, -0.35, 0.0, 0.35, 0.7):
        pen.line([(x, -0.1), (x, 0.75)], (225, 215, 190), 0.04)
    pen.ellipse(0, -0.15, 0.78, 0.28, (200, 200, 205))
    pen.ellipse(0, -0.15 + 0.03 * drive, 0.7, 0.23, WHITE)
    for side in (-1, 1):
        hit = drive if side * np.sin(7 * t) > 0 else 0.2 * drive
        tip = (0.2 * side, -0.6 + 0.45 * hit)
        pen.line([(1.0 * side, -0.85), tip], (190, 140, 85), 0.07)
        pen.disc(*tip, 0.08, (205, 160, 100))


def tree(pen: Pen, look: Look, t: float, drive: float) -> None:
    """A tree that makes no sound."""
    leaves = colour(0.2 + 0.2 * look.hue, 0.6, 0.3 + 0.4 * look.shade)
    pen.polygon([(-0.12, 1.0), (-0.08, 0.0), (0.08, 0.0), (0.14, 1.0)], (95, 65, 40))
    if look.variant < 0.5:
        for x, y in ((-0.4, -0.2), (0.4, -0.2), (0.0, -0.55), (-0.2, 0.1), (0.25, 0.1)):
            pen.disc(x, y, 0.42, leaves)
    else:
        for top in (-1.0, -0.6, -0.2):
            pen.polygon([(0, top), (-0.65 - 0.2 * top, top + 0.7), (0.65 + 0.2 * top, top + 0.7)], leaves)


def test_card(pen: Pen, look: Look, t: float, drive: float) -> None:
    """Colour bars with a counter strip: an image for which no teacher has a class."""
    for k in range(7):
        left = -1.3 + 2.6 * k / 7
        pen.box(left, -0.9, left + 2.6 / 7, 0.6, colour(look.hue + k / 7, 0.8, 0.85))
    pen.box(-1.3, 0.6, 1.3, 0.9, DARK)
    pen.box(-1.3, 0.65, -1.3 + 2.6 * (t / 4 % 1.0), 0.85, WHITE)
