"""The table of sounds of ImageNet classes, checked against the class lists and the ontology."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from importlib.resources import files
from pathlib import Path

import pytest
from torchvision.models import MobileNet_V2_Weights

from tests.fakes import folder_of
from xmodal_kedro.labels.ontology import read_ontology
from xmodal_kedro.labels.sounds import Sound, imagenet_sounds
from xmodal_kedro.teachers.class_list import distinct, read_class_list

TEXT = files("xmodal_kedro.labels").joinpath("imagenet_sounds.csv").read_text(encoding="utf-8")
ROWS = [(row["label"], row["audioset_id"], row["sound"]) for row in csv.DictReader(TEXT.splitlines())]

DOGS = range(151, 269)
BIRDS = (*range(7, 25), *range(80, 101), *range(127, 147))
MUTE = (0, 107, 399, 474, 638, 708, 815, 924, 950, 972)
"""A fish, a jellyfish, clothes, a pedestal, a spider's web, food, and a cliff."""


@pytest.fixture(scope="module")
def imagenet(real_data: Path) -> tuple[str, ...]:
    """ImageNet-1k's classes by index."""
    names = (real_data / "teachers" / "imagenet_labels.txt").read_text().splitlines()[1:]
    return distinct(names)


@pytest.fixture(scope="module")
def sounds_of() -> dict[str, set[str]]:
    sounds: defaultdict[str, set[str]] = defaultdict(set)
    for label, _, sound in ROWS:
        sounds[label].add(sound)
    return dict(sounds)


def test_there_is_a_row_for_hundreds_of_classes_and_none_twice(sounds_of: dict[str, set[str]]) -> None:
    assert len(sounds_of) >= 300
    assert len(set(ROWS)) == len(ROWS)
    assert all(all(row) for row in ROWS)


def test_every_label_is_a_class_of_imagenet_in_its_order(imagenet: tuple[str, ...]) -> None:
    labels = [label for label, _, _ in ROWS]
    assert set(labels) <= set(imagenet)
    assert labels == sorted(labels, key=imagenet.index)


def test_every_id_has_its_name_in_the_ontology(real_data: Path) -> None:
    ontology = json.loads((real_data / "teachers" / "ontology.json").read_text())
    name_of = {entry["id"]: entry["name"] for entry in ontology}
    assert [name_of.get(audioset_id) for _, audioset_id, _ in ROWS] == [sound for _, _, sound in ROWS]


@pytest.mark.parametrize("class_list", ["class_labels_indices.csv", "yamnet_class_map.csv"])
def test_every_sound_is_one_that_audio_teachers_know(real_data: Path, class_list: str) -> None:
    known = read_class_list(folder_of(real_data / "teachers").file(class_list))
    assert {audioset_id for _, audioset_id, _ in ROWS} <= {named.audioset_id for named in known}


def test_no_sound_of_a_class_is_a_kind_of_another_one(real_data: Path) -> None:
    table = read_ontology(folder_of(real_data / "teachers").file("ontology.json"))
    parents = {row["audioset_id"]: set(row["parents"].split(",")) - {""} for row in table.to_dict("records")}

    def above(audioset_id: str) -> set[str]:
        return parents[audioset_id].union(*map(above, parents[audioset_id]))

    ids_of: defaultdict[str, set[str]] = defaultdict(set)
    for label, audioset_id, _ in ROWS:
        ids_of[label].add(audioset_id)
    assert [label for label, ids in ids_of.items() for one in ids if above(one) & ids] == []


def test_kinds_of_classes_sound_as_their_kind_does(imagenet: tuple[str, ...], sounds_of: dict[str, set[str]]) -> None:
    assert all(sounds_of[imagenet[index]] == {"Dog"} for index in DOGS)
    assert all(sounds_of[imagenet[index]] == {"Cat"} for index in range(281, 286))
    birds = {"Bird", "Bird vocalization, bird call, bird song", "Chicken, rooster", "Owl", "Squawk", "Duck", "Goose"}
    assert set().union(*(sounds_of[imagenet[index]] for index in BIRDS)) == birds
    assert not [imagenet[index] for index in MUTE if imagenet[index] in sounds_of]


@pytest.mark.parametrize(
    ("label", "sounds"),
    [
        ("ambulance", {"Ambulance (siren)"}),
        ("cannon", {"Artillery fire"}),
        ("cricket", {"Cricket"}),
        ("crane [134]", {"Bird"}),
        ("crane [517]", {"Mechanisms"}),
        ("steel drum", {"Steelpan"}),
        ("submarine, pigboat, sub, U-boat", {"Boat, Water vehicle", "Sonar"}),
        ("toilet seat", {"Toilet flush"}),
        ("volcano", {"Eruption"}),
    ],
)
def test_what_a_class_sounds_like(sounds_of: dict[str, set[str]], label: str, sounds: set[str]) -> None:
    assert sounds_of[label] == sounds


def test_torchvisions_names_are_found_as_the_full_ones_are(imagenet: tuple[str, ...]) -> None:
    full, is_imagenet = imagenet_sounds(imagenet)
    names = MobileNet_V2_Weights.IMAGENET1K_V1.meta["categories"]
    short, is_imagenet_too = imagenet_sounds(names)
    assert is_imagenet
    assert is_imagenet_too
    assert [short.get(name) for name in names] == [full.get(label) for label in imagenet]
    assert short["crane bird"] == [Sound("Bird", "/m/015p6")]
    assert "cardigan" not in short
    assert short["Cardigan"] == [Sound("Dog", "/m/0bt9lr")]


def test_a_background_class_and_underscores_make_no_difference(imagenet: tuple[str, ...]) -> None:
    full, _ = imagenet_sounds(imagenet)
    shifted = distinct(["background", *(label.partition(" [")[0] for label in imagenet)])
    with_background, is_imagenet = imagenet_sounds(shifted)
    assert is_imagenet
    assert [with_background.get(label) for label in shifted[1:]] == [full.get(label) for label in imagenet]
    short = distinct([label.partition(",")[0].partition(" [")[0].replace(" ", "_") for label in imagenet])
    with_underscores, _ = imagenet_sounds(short)
    assert [with_underscores.get(label) for label in short] == [full.get(label) for label in imagenet]
