from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.fakes import folder_of
from tests.teachers.fixtures import colour_card, pitch_card, write_colour_teacher, write_pitch_teacher
from xmodal_kedro.labels.ontology import empty_ontology
from xmodal_kedro.labels.sounds import audio_classes, visual_classes
from xmodal_kedro.pipelines.audio_label.nodes import list_audio_classes
from xmodal_kedro.schemas import SoundOntology, TeacherClasses

UNKNOWN = ("", "", False)
MUTE = ("", "", True)
HEADER = "label,sound,audioset_id\n"


def rows(table: pd.DataFrame) -> list[tuple[str, tuple[str, str, bool]]]:
    checked = TeacherClasses.validate(table)
    return [(label, (sound, sound_id, silent)) for label, sound, sound_id, silent in checked.itertuples(index=False)]


def visual(tmp_path: Path, names: list[str], sounds: str, table: str | bytes | None = None, **card: object) -> list:
    write_colour_teacher(tmp_path, names)
    if table is not None:
        (tmp_path / sounds).write_bytes(table if isinstance(table, bytes) else table.encode())
    return rows(visual_classes(colour_card(sounds=sounds, **card), folder_of(tmp_path)))


def test_without_a_table_nothing_is_known_of_sounds(tmp_path: Path) -> None:
    assert visual(tmp_path, ["dog", "sock"], "") == [("dog", UNKNOWN), ("sock", UNKNOWN)]


def test_what_a_users_table_does_not_list_is_silent(tmp_path: Path) -> None:
    table = HEADER + "tug,Ship,\ntug,Steam,/m/06wzb\ndog,,/m/0bt9lr\n"
    assert visual(tmp_path, ["sock", "dog", "tug"], "sounds.csv", table) == [
        ("sock", MUTE),
        ("dog", ("", "/m/0bt9lr", False)),
        ("tug", ("Ship", "", False)),
        ("tug", ("Steam", "/m/06wzb", False)),
    ]


def test_columns_may_come_in_any_order_beside_others(tmp_path: Path) -> None:
    table = b"\xef\xbb\xbfnote,audioset_id,label,sound\r\nloud,,dog,Bark\r\n"
    assert visual(tmp_path, ["dog"], "sounds.csv", table) == [("dog", ("Bark", "", False))]


def test_a_class_that_the_teacher_ignores_is_not_listed(tmp_path: Path) -> None:
    found = visual(tmp_path, ["background", "dog"], "sounds.csv", HEADER + "dog,Dog,\n", ignore=("background",))
    assert found == [("dog", ("Dog", "", False))]


def test_of_other_classes_than_imagenets_the_unlisted_are_not_known(tmp_path: Path) -> None:
    assert visual(tmp_path, ["tabby, tabby cat", "Labrador_retriever", "smokestack"], "imagenet") == [
        ("tabby, tabby cat", ("Cat", "/m/01yrx", False)),
        ("Labrador_retriever", ("Dog", "/m/0bt9lr", False)),
        ("smokestack", UNKNOWN),
    ]


def test_one_crane_alone_may_be_either(tmp_path: Path) -> None:
    assert visual(tmp_path, ["crane", "dog"], "imagenet") == [("crane", UNKNOWN), ("dog", UNKNOWN)]


def test_of_imagenets_classes_the_unlisted_are_silent(tmp_path: Path, real_data: Path) -> None:
    names = (real_data / "teachers" / "imagenet_labels.txt").read_text().splitlines()
    found = dict(visual(tmp_path, names, "imagenet", ignore=("background",)))
    assert len(found) == 1000
    assert found["crane [135]"] == ("Bird", "/m/015p6", False)
    assert found["cardigan"] == MUTE
    assert not [label for label, (sound, _, silent) in found.items() if bool(sound) == silent]


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ("label,sound\ndog,Dog\n", "'sounds.csv' has no column 'audioset_id' .it has .*first line must name label, s"),
        ("", "'sounds.csv' has no column 'label'"),
        (HEADER + "dog,Dog,\n,Dog,\n", "'sounds.csv', line 3: label is empty"),
        (HEADER + "dog\n", "'sounds.csv', line 2: 'dog' has neither sound nor audioset_id"),
        (HEADER + "Dog,Dog,\n", "'sounds.csv', line 2: 'Dog' is not a class"),
        (HEADER + "dog,Dog,\ndog,Bark,\ndog,Dog,\n", "'sounds.csv', line 4: 'dog' has this sound already"),
        (b"label,sound,audioset_id\n\xff,a,b\n", "'sounds.csv' is not UTF-8"),
    ],
)
def test_a_wrong_table_is_refused_by_name_and_line(tmp_path: Path, table: str | bytes, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        visual(tmp_path, ["dog"], "sounds.csv", table)


def test_a_table_that_is_not_there_and_one_that_cannot_be_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no file 'sounds.csv'"):
        visual(tmp_path, ["dog"], "sounds.csv")
    with pytest.raises(ValueError, match="visual_teacher.sounds is 'ImageNet': write imagenet, the name of a .csv"):
        visual(tmp_path, ["dog"], "ImageNet")


def test_a_class_of_an_audio_teacher_is_its_own_sound(tmp_path: Path) -> None:
    write_pitch_teacher(tmp_path)
    (tmp_path / "pitches.csv").write_text("mid,display_name\n/m/1,Hum\n,buzz\n,Twang\n")
    ontology = pd.DataFrame(
        [("/m/other", "Hum", "", False), ("/m/2", "Buzz", "", False)],
        columns=["audioset_id", "name", "parents", "abstract"],
    )
    assert rows(audio_classes(pitch_card(), folder_of(tmp_path), SoundOntology.validate(ontology))) == [
        ("Hum", ("Hum", "/m/1", False)),
        ("buzz", ("buzz", "/m/2", False)),
        ("Twang", ("Twang", "", False)),
    ]


def test_without_an_ontology_the_classes_have_the_ids_of_their_list(tmp_path: Path) -> None:
    write_pitch_teacher(tmp_path)
    classes, ontology = list_audio_classes(folder_of(tmp_path), pitch_card())
    assert len(rows(classes)) == 64
    assert ontology.equals(empty_ontology())


def test_yamnets_classes_are_those_of_the_ontology(real_data: Path) -> None:
    card = pitch_card(labels="yamnet_class_map.csv", weights="yamnet_patches.onnx", ontology="ontology.json")
    classes, ontology = list_audio_classes(folder_of(real_data / "teachers"), card)
    assert len(rows(classes)) == 521
    assert set(classes["audioset_id"]) <= set(ontology["audioset_id"])
