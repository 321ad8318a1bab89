from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from tests.labels.merging import audio_classes, merge_params, ontology, visual_classes
from xmodal_kedro.labels.class_map import ClassMap, Ragged
from xmodal_kedro.labels.match import match_classes, split
from xmodal_kedro.schemas import CandidateClasses, LabelClasses


def matched(visual: pd.DataFrame, sound_ontology: pd.DataFrame | None = None, **changes: Any) -> ClassMap:
    sound_ontology = ontology() if sound_ontology is None else sound_ontology
    candidates, label_classes = match_classes(visual, audio_classes(), sound_ontology, merge_params(**changes))
    CandidateClasses.validate(candidates)
    LabelClasses.validate(label_classes)
    return ClassMap.of(candidates, label_classes)


def becomes(classes: ClassMap, label: str, modality: str = "visual") -> list[str]:
    return [classes.names[index] for index in classes.of_labels(modality, pa.array([label])).values]


def named(classes: ClassMap, column: str, name: str) -> list[str]:
    row = classes.candidates.set_index("name").loc[name]
    return [classes.names[int(index)] for index in split(row[column])]


def visual_rows(*rows: tuple[str, str, str, bool]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["label", "sound", "audioset_id", "silent"])


def test_a_visual_class_keeps_its_name_and_stands_for_its_sound() -> None:
    classes = matched(visual_classes())
    assert becomes(classes, "puppy") == ["puppy"]
    assert named(classes, "stands_for", "puppy") == ["Dog"]
    assert named(classes, "ancestors", "puppy") == ["Animal"]
    assert classes.candidates.set_index("name").loc["puppy", ["audioset_id", "parents"]].tolist() == ["", "/m/dog"]


def test_a_visual_class_of_its_sounds_name_is_that_sound() -> None:
    assert becomes(matched(visual_classes()), "drum") == ["Drum"]


def test_a_visual_class_can_become_its_sounds_and_a_silent_one_stays_itself() -> None:
    classes = matched(visual_classes(), visual_names="sounds")
    assert [becomes(classes, label) for label in ("puppy", "dog", "statue")] == [["Dog"], ["Dog"], ["statue"]]
    assert classes.silent[classes.names.index("statue")]
    assert "puppy" not in classes.names


def test_a_class_of_two_sounds_becomes_both() -> None:
    siren = visual_rows(("ambulance", "Siren", "/m/siren", False), ("ambulance", "Bell", "", False))
    parents = ontology({"Siren": "", "Bell": ""})
    assert becomes(matched(siren, parents, visual_names="sounds"), "ambulance") == ["Bell", "Siren"]


def test_what_is_known_to_be_silent_is_not_taken_for_a_sound_of_its_name() -> None:
    tick = visual_rows(("rain", "", "", True))
    assert becomes(matched(tick), "rain") == ["rain (seen)"]
    unknown = visual_rows(("rain", "", "", False))
    assert becomes(matched(unknown), "rain") == ["Rain"]


def test_sounds_are_one_by_id_whatever_their_names() -> None:
    hound = visual_rows(("hound", "Doggy", "/m/dog", False))
    assert becomes(matched(hound, visual_names="sounds"), "hound") == ["Dog"]


def test_a_sound_that_only_the_table_knows_is_a_class_with_the_ontologys_name() -> None:
    cat = visual_rows(("cat", "", "/m/cat", False))
    parents = ontology({"Cat": "Animal", "Animal": ""})
    classes = matched(cat, parents, visual_names="sounds")
    assert becomes(classes, "cat") == ["Cat"]
    assert named(classes, "ancestors", "Cat") == ["Animal"]


def test_without_an_ontology_no_class_has_ancestors() -> None:
    classes = matched(visual_classes(), ontology({}))
    assert not any(classes.above)


def test_implied_parents_become_candidates_unless_they_only_group_others() -> None:
    parents = ontology({"Dog": "Pets", "Pets": "Animals", "Animals": ""})
    parents["abstract"] = parents["name"] == "Animals"
    names = matched(visual_classes(), parents, parents=True).names
    assert "Pets" in names
    assert "Animals" not in names
    assert "Pets" not in matched(visual_classes(), parents).names


def test_parents_without_an_ontology_are_refused() -> None:
    with pytest.raises(ValueError, match=r"merge_labels\.parents needs.*audio_teacher\.ontology"):
        matched(visual_classes(), ontology({}), parents=True)


def test_an_id_that_the_ontology_lacks_is_refused_by_class() -> None:
    with pytest.raises(ValueError, match=r"'dog' stands for 'Dog' with the id '/m/xyz'.*visual_teacher\.sounds"):
        matched(visual_rows(("dog", "Dog", "/m/xyz", False)))


def test_an_unknown_sound_is_refused_by_class() -> None:
    with pytest.raises(ValueError, match=r"'dog' stands for 'Wuff', which is not a class.*visual_teacher\.sounds"):
        matched(visual_rows(("dog", "Wuff", "", False)))


def test_ragged_lists_are_taken_with_their_owners() -> None:
    lists = Ragged.of([[5], [], [7, 8]])
    numbers = Ragged.of([[2, 0, 1, 2]]).values
    values, owner = lists.take(numbers)
    assert values.tolist() == [7, 8, 5, 7, 8]
    assert owner.tolist() == [0, 0, 1, 3, 3]


def test_classes_that_differ_by_case_alone_stay_two_and_all_have_a_candidate() -> None:
    garment = visual_rows(*((label, "", "", True) for label in ("Cardigan", "cardigan", "CARDIGAN", "RAIN", "rain")))
    classes = matched(garment)
    names = [becomes(classes, label)[0] for label in garment["label"]]
    assert len({name.casefold() for name in names} | {"rain"}) == len(names) + 1


def test_two_sounds_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="'Dog' is the name of two sounds, /m/dog and /m/other"):
        matched(visual_rows(("hound", "Dog", "/m/other", False)), ontology({}))
