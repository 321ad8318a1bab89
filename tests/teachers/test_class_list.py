from pathlib import Path

import pytest

from tests.fakes import folder_of
from xmodal_kedro.teachers.class_list import ClassName, read_class_list


def read(tmp_path: Path, name: str, content: bytes) -> tuple[str, ...]:
    return tuple(named.label for named in classes(tmp_path, name, content))


def classes(tmp_path: Path, name: str, content: bytes) -> tuple[ClassName, ...]:
    (tmp_path / name).write_bytes(content)
    return read_class_list(folder_of(tmp_path).file(name))


def test_a_text_file_has_one_name_a_line(tmp_path: Path) -> None:
    assert read(tmp_path, "labels.txt", "dog\r\nChild, crying\nétoile\n".encode()) == ("dog", "Child, crying", "étoile")


def test_a_csv_file_has_its_names_in_display_name_in_the_order_of_its_rows(tmp_path: Path) -> None:
    content = b'index,mid,display_name\n0,/m/1,Speech\n1,/m/2,"Child speech, kid speaking"\n'
    assert read(tmp_path, "classes.csv", content) == ("Speech", "Child speech, kid speaking")


def test_ids_of_audioset_come_from_the_column_mid_where_there_is_one(tmp_path: Path) -> None:
    with_ids = classes(tmp_path, "with.csv", b"index,mid,display_name\n0,/m/09x0r,Speech\n1,,Hum\n")
    assert with_ids == (ClassName("Speech", "/m/09x0r"), ClassName("Hum", ""))
    assert classes(tmp_path, "without.csv", b"display_name\nSpeech\n") == (ClassName("Speech", ""),)
    assert classes(tmp_path, "plain.txt", b"Speech\n") == (ClassName("Speech", ""),)


def test_audiosets_own_class_lists_have_an_id_for_every_class(real_data: Path) -> None:
    for name, count in (("yamnet_class_map.csv", 521), ("class_labels_indices.csv", 527)):
        listed = read_class_list(folder_of(real_data / "teachers").file(name))
        assert len(listed) == len({named.audioset_id for named in listed}) == count
        assert listed[0] == ClassName("Speech", "/m/09x0r")


def test_names_that_occur_twice_are_told_apart_by_position(tmp_path: Path) -> None:
    assert read(tmp_path, "labels.txt", b"crane\ndog\ncrane") == ("crane [0]", "dog", "crane [2]")


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("labels.txt", b"", "'labels.txt' is empty"),
        ("labels.txt", b"dog\n\ncat", "'labels.txt' has no name for class 1"),
        ("labels.txt", b"\xff\xfe\x00", "'labels.txt' is not UTF-8"),
        ("classes.csv", b"index,name\n0,dog", "no column 'display_name'"),
        ("classes.csv", b"index,display_name\n0", "'classes.csv' has no name for class 0"),
    ],
)
def test_a_wrong_class_list_is_refused_by_name(tmp_path: Path, name: str, content: bytes, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        read(tmp_path, name, content)
