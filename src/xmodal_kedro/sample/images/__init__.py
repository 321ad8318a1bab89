"""Drawn objects, one function per class: `(pen, look, t, drive)` draws the object at `t` seconds of its scene.

`drive` (0..1) is the loudness of the object's sound at that time, so that motion and sound are in sync by construction:
jaws drop at the bark, the bell swings at the blow. At 0 the object is visible and at rest.
"""

from __future__ import annotations

from collections.abc import Callable

from xmodal_kedro.sample.images.animals import chirping_birds, crying_baby, dog, rooster, sneezing, statue
from xmodal_kedro.sample.images.backdrops import backdrop
from xmodal_kedro.sample.images.pen import Look, Pen, Picture, random_look
from xmodal_kedro.sample.images.things import (
    airship,
    chainsaw,
    church_bells,
    clock_tick,
    drum,
    engine,
    helicopter,
    plate,
    siren,
    test_card,
    tree,
)
from xmodal_kedro.sample.images.weather import crackling_fire, rain, sea_waves

PAINTERS: dict[str, Callable[[Pen, Look, float, float], None]] = {
    paint.__name__: paint
    for paint in (
        dog, rooster, rain, sea_waves, crackling_fire, crying_baby, sneezing, clock_tick, helicopter, chainsaw,
        chirping_birds, church_bells, siren, engine, drum,
        statue, plate, airship, tree, test_card,
    )
}  # fmt: skip


def picture_of(name: str, look: Look, behind: Picture, t: float, drive: float) -> Picture:
    """A new image: the object `name` before the background `behind`, or only the background if `name` is empty."""
    picture = behind.copy()
    if name:
        PAINTERS[name](Pen(picture, look), look, t, drive)
    return picture


__all__ = ["PAINTERS", "Look", "Picture", "backdrop", "picture_of", "random_look"]
