from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.fakes import folder_of
from xmodal_kedro.evaluation.benchmarks.catalogue import read_benchmark
from xmodal_kedro.evaluation.zero_shot import aliases, classify, matching_classes, plain


def test_names_meet_whatever_their_spelling_and_through_aliases() -> None:
    classes = ["Dog", "Chicken, rooster", "Waves, surf", "Ocean", "Piano", "Baby cry, infant cry"]
    matched = matching_classes(["dog", "rooster", "sea_waves", "crying_baby", "helicopter"], classes)
    assert matched == {"dog": [0], "rooster": [1], "sea_waves": [2, 3], "crying_baby": [5]}


def test_the_best_class_of_a_category_counts() -> None:
    scores = np.array([[0.1, 0.2, 0.9], [0.8, 0.1, 0.1], [0.3, 0.3, 0.0]], np.float32)
    assert classify(scores, {"dog": [0], "sea": [1, 2]}) == ["sea", "dog", "dog"]
    assert classify(scores[:0], {"dog": [0]}) == []


def test_every_alias_is_a_sound_of_audioset(real_data: Path) -> None:
    with (real_data / "teachers" / "yamnet_class_map.csv").open() as file:
        known = {
            plain(part)
            for row in csv.DictReader(file)
            for part in [row["display_name"], *row["display_name"].split(",")]
        }
    assert {name for names in aliases().values() for name in names} - known == set()


def test_every_category_of_the_esc10_has_a_class_of_yamnet(real_data: Path) -> None:
    names = pd.read_csv(real_data / "teachers" / "yamnet_class_map.csv")["display_name"].tolist()
    categories = sorted(read_benchmark(folder_of(real_data / "esc10"), "esc10").clips["category"].unique())
    assert sorted(matching_classes(categories, names)) == categories


@pytest.mark.parametrize("category", ["dog", "sea_waves", "air_conditioner"])
def test_an_alias_is_of_a_category_as_its_benchmark_spells_it(category: str) -> None:
    assert plain(category) in aliases()
