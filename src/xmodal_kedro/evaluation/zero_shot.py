"""A network's own classes in place of a benchmark's, where their names match."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

Classes = Mapping[str, Sequence[str]]
ALIASES = "zero_shot_aliases.csv"


def matching_classes(categories: Sequence[str], classes: Sequence[str]) -> dict[str, list[int]]:
    """Positions of the classes that stand for each category, of those categories that any class stands for.

    A class stands for a category of its name, or of which `zero_shot_aliases.csv` says so; case, punctuation and
    underscores do not count. A class with several names, joined by commas as AudioSet has them, has all of them too.

    Args:
        categories: of the benchmark.
        classes: names of what is scored, in order.
    """
    named: dict[str, list[int]] = {}
    for position, name in enumerate(classes):
        for part in {plain(name), *(plain(part) for part in name.split(","))}:
            named.setdefault(part, []).append(position)
    matched = {}
    for category in categories:
        names = [plain(category), *aliases().get(plain(category), ())]
        found = sorted({position for name in names for position in named.get(name, ())})
        if found:
            matched[category] = found
    return matched


def classify(scores_NC: NDArray[np.float32], matched: Mapping[str, Sequence[int]]) -> list[str]:
    """The category whose best class scores highest, for each sound; the first of equals.

    Args:
        scores_NC: [sounds, classes].
        matched: as `matching_classes` gives it.
    """
    names = list(matched)
    if not len(scores_NC):
        return []
    best_NK = np.stack([scores_NC[:, list(matched[name])].max(1) for name in names], axis=1)
    return [names[place] for place in best_NK.argmax(1)]


@cache
def aliases() -> dict[str, tuple[str, ...]]:
    """Names of sounds, as AudioSet has them, that stand for a category of a benchmark; all of them `plain`."""
    text = (files(__package__) / ALIASES).read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return {plain(row["category"]): tuple(map(plain, row["sounds"].split("|"))) for row in rows}


def plain(name: str) -> str:
    """A name without what spellings differ in."""
    return re.sub(r"[\W_]+", " ", name.casefold()).strip()
