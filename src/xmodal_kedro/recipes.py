"""Recipes: name and version of the code that made a stored result. An upgrade recomputes only what it changes.

The function that makes a shard, a file or a network carries its recipe:

    @recipe("clip", version=1, libraries=("av",))
    def clip_shard(sources, params): ...

The version is raised by hand, together with a change that makes results differ. `recipes.lock` holds a digest of the
code behind every recipe. A test fails if that code changed, and neither the version nor the lock did: see
CONTRIBUTING.md.
"""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Recipe:
    """Identity of the code that makes a result.

    Attributes:
        name: one or two words, unique in the project.
        version: raised if equal inputs and parameters give another result.
        libraries: distributions whose versions change the result, such as `av`, which contains FFmpeg.
    """

    name: str
    version: int
    libraries: tuple[str, ...] = ()

    def describe(self) -> dict[str, Any]:
        """JSON-able: equal descriptions give equal results of equal arguments."""
        return {"recipe": self.name, "version": self.version, "libraries": library_versions(self.libraries)}

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


RECIPES: dict[str, Callable[..., Any]] = {}
"""Functions with a recipe, by its name, of all modules imported so far."""


def recipe(name: str, *, version: int, libraries: tuple[str, ...] = ()) -> Callable[[Function], Function]:
    """Attach a recipe to a module-level function.

    Raises:
        ValueError: if another function has a recipe of this name.
    """

    def attach(function: Function) -> Function:
        existing = RECIPES.get(name)
        if existing is not None and _qualified_name(existing) != _qualified_name(function):
            raise ValueError(f"the recipe {name!r} belongs to {_qualified_name(existing)}: choose another name")
        function.recipe = Recipe(name, version, libraries)  # type: ignore[attr-defined]
        RECIPES[name] = function
        return function

    return attach


def recipe_of(function: Callable[..., Any]) -> Recipe:
    """The recipe of a function.

    Raises:
        TypeError: naming the function, if it has none.
    """
    attached = getattr(function, "recipe", None)
    if not isinstance(attached, Recipe):
        raise TypeError(f"{function!r} has no recipe: put @recipe(NAME, version=1) on a module-level function")
    return attached


def library_versions(names: Iterable[str]) -> dict[str, str]:
    """Major and minor version of installed distributions. Patch releases are assumed to change no result."""
    return {name: _version(name) for name in names}


@cache
def _version(name: str) -> str:
    try:
        return ".".join(importlib.metadata.version(name).partition("+")[0].split(".")[:2])
    except importlib.metadata.PackageNotFoundError:
        return "none"


@cache
def version_0_1() -> dict[str, Any]:
    """What version 0.1 of this project hashed into fingerprints in place of recipes.

    Returns:
        `recipes`: by a recipe's name, the qualified name of its `function` in that version, and the digest of its
        `code` by Python version, as Python's syntax trees differ. `parameters`: by class, its `name` and `fields`.
        `classes`: names.
    """
    table: dict[str, Any] = json.loads(Path(__file__).with_name("legacy_0_1.json").read_text())
    return table


def _qualified_name(function: Callable[..., Any]) -> str:
    return f"{function.__module__}.{function.__qualname__}"
