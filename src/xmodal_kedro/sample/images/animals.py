"""Animals and people. `drive` 0..1 is the current loudness of the object's sound: mouths and beaks open with it."""

from __future__ import annotations

import numpy as np

from xmodal_kedro.sample.images.pen import Colour, Look, Pen, colour

DARK: Colour = (25, 22, 22)
WHITE: Colour = (245, 245, 240)


def dog(pen: Pen, look: Look, t: float, drive: float) -> None:
    """A dog from the side, whose jaw drops at every bark."""
    fur = colour(0.04 + 0.08 * look.hue, 0.2 + 0.55 * look.hue, 0.25 + 0.65 * look.shade)
    wag = 0.5 * np.sin(9 * t) * (0.2 + drive)
    _dog_shape(pen, look, fur, mouth=drive, wag=wag)
    head = pen.moved(0.45, -0.35, -0.25 * drive)
    head.disc(0.2, -0.12, 0.06, DARK)
    head.disc(0.66, 0.02, 0.09, DARK)


def statue(pen: Pen, look: Look, t: float, drive: float) -> None:
    """A stone dog on a plinth: looks like the dog, makes no sound."""
    stone = colour(0.6, 0.04, 0.5 + 0.3 * look.shade)
    pen.box(-0.95, 0.82, 0.75, 1.05, colour(0.6, 0.05, 0.4))
    _dog_shape(pen, look, stone, mouth=0.0, wag=0.0)


def _dog_shape(pen: Pen, look: Look, fur: Colour, mouth: float, wag: float) -> None:
    darker = (fur[0] * 3 // 4, fur[1] * 3 // 4, fur[2] * 3 // 4)
    for x in (-0.6, -0.4, 0.2, 0.4):
        pen.box(x - 0.08, 0.2, x + 0.08, 0.85, darker if x in (-0.4, 0.4) else fur)
    pen.line([(-0.7, 0.05), (-1.0, -0.35 + wag)], fur, 0.14)
    pen.ellipse(-0.1, 0.1, 0.7, 0.32, fur)
    pen.ellipse(0.42, -0.1, 0.22, 0.35, fur, turn=0.4)
    head = pen.moved(0.45, -0.35, -0.25 * mouth)
    head.disc(0.1, -0.08, 0.3, fur)
    head.polygon([(0.2, -0.2), (0.7, -0.08), (0.7, 0.07), (0.2, 0.08)], fur)
    jaw = head.moved(0.2, 0.06, 0.75 * mouth)
    if mouth > 0.15:
        head.polygon([(0.2, 0.05), (0.6, 0.06), (0.5, 0.06 + 0.35 * mouth), (0.2, 0.16)], (150, 40, 50))
    jaw.polygon([(0.0, -0.02), (0.42, 0.0), (0.38, 0.1), (0.0, 0.14)], fur)
    if look.variant < 0.5:
        head.ellipse(-0.1, 0.0, 0.12, 0.3, darker, turn=0.3)
    else:
        head.polygon([(-0.15, -0.25), (-0.1, -0.65), (0.15, -0.32)], darker)


def rooster(pen: Pen, look: Look, t: float, drive: float) -> None:
    """A rooster that stretches its neck and opens its beak to crow."""
    body = colour(0.03 + 0.1 * look.hue, 0.3 + 0.5 * look.shade, 0.35 + 0.55 * look.shade)
    tail = colour(0.35 + 0.3 * look.hue, 0.6, 0.3)
    for spread in (-0.5, -0.2, 0.1, 0.4):
        pen.ellipse(-0.65, -0.2 + 0.5 * spread, 0.42, 0.12, tail, turn=0.7 + spread)
    pen.ellipse(-0.1, 0.2, 0.55, 0.4, body)
    for x in (-0.15, 0.1):
        pen.line([(x, 0.55), (x, 0.95), (x + 0.15, 0.97)], (220, 160, 40), 0.06)
    rise = 0.25 * drive
    pen.polygon([(0.1, 0.25), (0.45, 0.1), (0.6, -0.4 - rise), (0.3, -0.45 - rise)], body)
    head = pen.moved(0.45, -0.55 - rise, -0.5 * drive)
    head.disc(0, 0, 0.19, body)
    for x in (-0.12, 0.02, 0.15):
        head.disc(x, -0.2, 0.1, (210, 25, 30))
    head.ellipse(0.14, 0.22, 0.07, 0.14, (210, 25, 30))
    head.polygon([(0.14, -0.06), (0.42, -0.02 - 0.12 * drive), (0.14, 0.03)], (235, 180, 50))
    head.polygon([(0.14, 0.02), (0.38, 0.04 + 0.18 * drive), (0.14, 0.1)], (215, 150, 30))
    head.disc(0.05, -0.05, 0.04, DARK)


def chirping_birds(pen: Pen, look: Look, t: float, drive: float) -> None:
    """A small bird on a twig, whose tail and beak twitch with its notes."""
    plumage = colour(look.hue, 0.35 + 0.5 * look.shade, 0.45 + 0.45 * look.shade)
    pen.line([(-1.1, 0.75), (1.1, 0.6)], (90, 60, 35), 0.1)
    pen.line([(0.4, 0.65), (0.75, 0.3)], (90, 60, 35), 0.06)
    pen.polygon([(-0.4, 0.2), (-1.05, 0.45 - 0.5 * drive), (-0.95, 0.65 - 0.5 * drive), (-0.3, 0.4)], plumage)
    pen.ellipse(-0.05, 0.2, 0.5, 0.38, plumage, turn=-0.4)
    pen.ellipse(0.1, 0.32, 0.32, 0.24, WHITE, turn=-0.5)
    head = pen.moved(0.35, -0.25, -0.35 * drive)
    head.disc(0, 0, 0.3, plumage)
    head.polygon([(0.25, -0.1), (0.6, -0.1 * drive), (0.26, 0.03)], (230, 150, 30))
    head.polygon([(0.25, 0.02), (0.55, 0.08 + 0.2 * drive), (0.22, 0.12)], (210, 130, 20))
    head.disc(0.1, -0.06, 0.07, DARK)
    pen.ellipse(-0.2, 0.2, 0.35, 0.16, (plumage[0] // 2, plumage[1] // 2, plumage[2] // 2), turn=0.3 + 0.4 * drive)


def crying_baby(pen: Pen, look: Look, t: float, drive: float) -> None:
    """A round face with shut eyes, an open mouth and running tears."""
    skin = _skin(look)
    pen.ellipse(0, 0.95, 0.7, 0.4, colour(look.hue, 0.35, 0.9))
    pen.disc(0, 0, 0.8, skin)
    pen.line([(-0.1, -0.78), (0.0, -0.95), (0.12, -0.8)], (90, 60, 40), 0.05)
    for side in (-1, 1):
        pen.ellipse(0.5 * side, 0.15, 0.18, 0.13, (225, 120, 115))
        pen.line([(0.45 * side, -0.2), (0.3 * side, -0.12), (0.15 * side, -0.2)], DARK, 0.06)
        fall = (t * 0.8 + 0.5 * (side > 0)) % 1.0
        pen.ellipse(0.36 * side, 0.0 + 0.5 * fall, 0.05, 0.09, (130, 190, 245))
    pen.ellipse(0, 0.38, 0.2 + 0.12 * drive, 0.06 + 0.28 * drive, (130, 25, 35))
    if drive > 0.3:
        pen.ellipse(0, 0.5 + 0.08 * drive, 0.14, 0.08, (220, 110, 110))


def sneezing(pen: Pen, look: Look, t: float, drive: float) -> None:
    """An adult's face that jerks forward and sprays."""
    skin, hair = _skin(look), colour(0.08 * look.hue, 0.5, 0.1 + 0.5 * look.hue)
    pen.ellipse(-0.1, 1.0, 0.75, 0.45, colour(look.hue + 0.4, 0.6, 0.6))
    head = pen.moved(-0.1 + 0.12 * drive, 0.15 * drive, 0.35 * drive)
    head.ellipse(0, -0.2, 0.66, 0.78, hair)
    head.ellipse(0.06, 0, 0.56, 0.72, skin)
    head.polygon([(0.1, -0.05), (0.36, 0.22), (0.1, 0.22)], (skin[0] * 5 // 6, skin[1] * 3 // 4, skin[2] * 3 // 4))
    for x in (-0.15, 0.34):
        if drive < 0.3:
            head.disc(x, -0.15, 0.09, WHITE)
            head.disc(x, -0.15, 0.05, DARK)
        else:
            head.line([(x - 0.1, -0.18), (x, -0.12), (x + 0.1, -0.18)], DARK, 0.05)
    head.ellipse(0.14, 0.42, 0.14, 0.04 + 0.16 * drive, (140, 40, 45))
    for k in range(round(12 * drive)):
        reach = 0.35 + 0.06 * k + 0.25 * drive
        pen.disc(0.15 + reach, 0.4 + reach * np.sin(1.7 * k) * 0.4, 0.035, (200, 225, 245))


def _skin(look: Look) -> Colour:
    return colour(0.06, 0.3 + 0.25 * look.hue, 0.45 + 0.5 * look.shade)
