"""A recipe is a name and a version that are attached to a function."""

from __future__ import annotations

import pytest

from xmodal_kedro.media.clip_shard import clip_shard
from xmodal_kedro.recipes import RECIPES, Recipe, library_versions, recipe, recipe_of


def test_a_function_carries_its_recipe() -> None:
    found = recipe_of(clip_shard)
    assert (found.name, RECIPES["clip"]) == ("clip", clip_shard)
    assert "av" in found.libraries


def test_two_functions_cannot_carry_recipes_of_one_name() -> None:
    with pytest.raises(ValueError, match="clip"):

        @recipe("clip", version=1)
        def other() -> None:
            """Another function."""


def test_a_function_without_a_recipe_is_named() -> None:
    with pytest.raises(TypeError, match="test_a_function_without"):
        recipe_of(test_a_function_without_a_recipe_is_named)


def test_a_library_that_is_not_installed_has_a_version_too() -> None:
    assert library_versions(["no-such-distribution"]) == {"no-such-distribution": "none"}


def test_a_recipe_is_described_by_name_version_and_libraries() -> None:
    described = Recipe("clip", 3, ("numpy",)).describe()
    assert described == {"recipe": "clip", "version": 3, "libraries": library_versions(["numpy"])}
