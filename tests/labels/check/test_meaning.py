"""Names of a truth, labels and targets are brought to one meaning."""

from __future__ import annotations

import pandas as pd
import pytest

from tests.labels.check.small_corpus import CANDIDATES, LABEL_CLASSES, ONTOLOGY, meaning
from xmodal_kedro.labels.check.meaning import Meaning


@pytest.mark.parametrize("name", ["Dog", "dog", "/m/dog", "pug"])
def test_a_sound_is_known_by_name_by_id_and_by_what_makes_it(name: str) -> None:
    assert meaning().heard(name) == {"/m/dog"}


@pytest.mark.parametrize("name", ["dgo", "", "vase"])
def test_what_is_no_sound_is_not_heard(name: str) -> None:
    assert meaning().heard(name) == frozenset()


def test_near_names_are_told() -> None:
    assert meaning().nearest("dogs") == ["Dog"]
    assert meaning().nearest("xyzzy") == []


def test_a_breed_is_right_where_the_truth_asks_for_dogs_and_where_it_asks_for_the_breed() -> None:
    known = meaning()
    assert known.seen_in("pug", known.seen("Dog")) & known.seen("Dog")
    assert known.seen_in("pug", known.seen("pug")) & known.seen("pug")
    assert not known.seen_in("beagle", known.seen("pug")) & known.seen("pug")


def test_a_picture_of_a_silent_thing_is_never_right_about_what_is_heard() -> None:
    known = meaning()
    assert known.seen_in("vase", known.seen("Vase")) == known.seen("vase")
    every_sound = set(ONTOLOGY["audioset_id"])
    assert known.heard_in("visual", "vase")
    assert not known.heard_in("visual", "vase") & every_sound
    assert known.heard_as("vase") == known.heard_in("visual", "vase")


def test_a_branch_is_above_and_below_but_not_beside_and_not_what_merely_groups() -> None:
    known = meaning()
    assert known.in_branch("/m/dog", "/m/dog")
    assert known.in_branch("/m/animal", "/m/dog")
    assert known.in_branch("/m/bark", "/m/animal")
    assert not known.in_branch("/m/cat", "/m/dog")
    assert not known.in_branch("/m/thing", "/m/dog")


def test_without_an_ontology_names_tell_classes_apart() -> None:
    known = Meaning(CANDIDATES.assign(audioset_id=""), LABEL_CLASSES, ONTOLOGY.iloc[:0])
    assert known.heard("pug") == known.heard("DOG") == {"dog"}
    assert known.in_branch("dog", "dog")
    assert not known.in_branch("animal", "dog")
    assert known.name("dog") == "Dog"
    assert known.audioset_id("dog") == ""


def test_a_label_of_another_teacher_is_refused() -> None:
    with pytest.raises(ValueError, match="audio_labels hold 'pug', which label_classes does not"):
        meaning().heard_in("audio", "pug")


def test_every_class_has_a_name_to_show() -> None:
    known = meaning()
    keys = pd.concat([CANDIDATES["name"].map(known.heard_as).explode()])
    assert set(keys.map(known.name)) >= {"Dog", "vase"}
    assert known.name(next(iter(known.seen("vase")))) == "vase"
