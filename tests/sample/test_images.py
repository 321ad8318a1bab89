"""Drawn objects are visible, differ, and move with their sound."""

from __future__ import annotations

import numpy as np
import pytest

from xmodal_kedro.sample.images import PAINTERS, Picture, backdrop, picture_of, random_look
from xmodal_kedro.sample.images.pen import Look, colour
from xmodal_kedro.sample.world import SILENT, SOURCES


def _place(seed: int = 0) -> tuple[Picture, Look]:
    rng = np.random.default_rng(seed)
    return backdrop(rng, 192, 144), random_look(rng)


def _difference(one: Picture, other: Picture) -> float:
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


@pytest.mark.parametrize("name", PAINTERS)
def test_an_object_is_visible_before_its_backdrop_which_is_unchanged(name: str) -> None:
    behind, look = _place()
    kept = behind.copy()
    picture = picture_of(name, look, behind, t=0.4, drive=0.5)
    assert picture.shape == (144, 192, 3)
    assert picture.dtype == np.uint8
    assert _difference(picture, behind) > 2
    assert np.array_equal(behind, kept)


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_moves_when_it_sounds(name: str) -> None:
    behind, look = _place(1)
    still, sounding = (picture_of(name, look, behind, t=0.93, drive=drive) for drive in (0.0, 1.0))
    assert _difference(still, sounding) > 0.1


@pytest.mark.parametrize("name", SILENT)
def test_what_is_silent_looks_the_same_whatever_sounds(name: str) -> None:
    behind, look = _place(2)
    assert np.array_equal(picture_of(name, look, behind, 0.4, 0.0), picture_of(name, look, behind, 0.4, 1.0))


def test_a_place_without_an_object_is_its_backdrop() -> None:
    behind, look = _place()
    assert np.array_equal(picture_of("", look, behind, 0.0, 1.0), behind)


@pytest.mark.parametrize(("width", "height"), [(192, 144), (160, 120), (144, 176)])
def test_backdrops_have_the_asked_size_and_vary(width: int, height: int) -> None:
    places = [backdrop(np.random.default_rng(seed), width, height) for seed in range(6)]
    assert {place.shape for place in places} == {(height, width, 3)}
    assert len({place.tobytes() for place in places}) == 6


def test_colours_are_rgb() -> None:
    assert colour(0.0, 1.0, 1.0) == (255, 0, 0)
    assert colour(1 / 3, 1.0, 0.5) == (0, 128, 0)
    assert colour(2.5, 0.0, 7.0) == (255, 255, 255)
