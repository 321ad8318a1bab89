from __future__ import annotations

import hashlib
import math
from pathlib import Path

import pytest

from tests.evaluation.sounds import write_tone
from tests.fakes import folder_of
from xmodal_kedro.errors import UserError
from xmodal_kedro.evaluation.labelled import groups_of_videos, read_any, read_labelled
from xmodal_kedro.storage import Folder


def folder(root: Path, table: str | None, *names: str, called: str = "clips.csv") -> Folder:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        write_tone(root / name, 440, 0.1)
    if table is not None:
        (root / called).write_text(table)
    return folder_of(root)


def test_a_table_of_files_and_labels(tmp_path: Path) -> None:
    clips = read_labelled(
        folder(tmp_path, "file,label\na.wav,tap\nb.wav,\nc.wav,tap|water\n", "a.wav", "b.wav", "c.wav")
    )
    assert clips["clip"].tolist() == ["a.wav", "b.wav", "c.wav"]
    assert clips["labels"].tolist() == [("tap",), (), ("tap", "water")]
    assert clips["end_s"].map(math.isinf).all() and (clips["fold"] == 0).all()


def test_parts_of_files_are_clips_of_one_group_and_equal_rows_one_clip_of_several_labels(tmp_path: Path) -> None:
    table = "file;label;start_s;end_s\na.wav;tap;0;1.5\na.wav;water;0;1.5\na.wav;tap;2;\n"
    clips = read_labelled(folder(tmp_path, table, "a.wav"))
    assert clips["clip"].tolist() == ["a.wav|0-1.5", "a.wav|2-end"]
    assert clips["labels"].tolist() == [("tap", "water"), ("tap",)]
    assert clips["group"].nunique() == 1 and clips["end_s"].tolist() == [1.5, math.inf]


def test_parts_that_differ_by_a_hundredth_of_a_second_are_different_clips(tmp_path: Path) -> None:
    table = "file,label,start_s,end_s\na.wav,tap,12345.67,12346\na.wav,water,12345.68,12346\n"
    clips = read_labelled(folder(tmp_path, table, "a.wav"))
    assert clips["clip"].tolist() == ["a.wav|12345.67-12346", "a.wav|12345.68-12346"]


def test_what_a_classifier_says_of_clips_without_any_class_is_no_class(tmp_path: Path) -> None:
    clips = read_labelled(folder(tmp_path, "file,label\na.wav,None of these\nb.wav,-\n", "a.wav", "b.wav"))
    assert clips["labels"].tolist() == [(), ()]


def test_folders_named_by_their_class_are_a_table(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clips = read_labelled(folder(tmp_path, None, "tap/a.wav", "tap/deep/b.wav", "none/c.wav", "loose.wav"))
    assert dict(zip(clips["clip"], clips["labels"], strict=True)) == {
        "none/c.wav": (),
        "tap/a.wav": ("tap",),
        "tap/deep/b.wav": ("tap",),
    }
    assert "loose.wav" in caplog.text


def test_the_only_table_may_have_any_name_and_columns_any_case(tmp_path: Path) -> None:
    clips = read_labelled(folder(tmp_path, "File,LABEL,Fold,Group\nA.wav,tap,1,x\n", "a.wav", called="my list.csv"))
    assert clips.iloc[0][["clip", "fold", "group"]].tolist() == ["a.wav", 1, "x"]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("file\na.wav\n", "no column label"),
        ("file,label,start_s,end_s\na.wav,tap,2,1\n", "row 1"),
        ("file,label,start_s\na.wav,tap,soon\n", "'soon'"),
        ("file,label,fold\na.wav,tap,zero\n", "'zero'"),
        ("file,label,fold,group\na.wav,tap,1,x\nb.wav,tap,2,x\n", "group 'x'.*folds"),
        ("file,label,group\na.wav,tap,x\na.wav,water,y\n", "a.wav.*groups 'x' and 'y'"),
    ],
)
def test_a_wrong_table_is_named_with_what_is_wrong(tmp_path: Path, table: str, said: str) -> None:
    with pytest.raises(UserError, match=f"clips.csv .*{said}"):
        read_labelled(folder(tmp_path, table, "a.wav", "b.wav"))


def test_a_listed_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"gone\.wav: put them there"):
        read_labelled(folder(tmp_path, "file,label\ngone.wav,tap\n", "a.wav"))


def test_a_folder_without_table_and_classes_is_refused_and_an_empty_one_has_no_clips(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="a folder for each class"):
        read_labelled(folder(tmp_path, None, "a.wav"))
    (tmp_path / "empty").mkdir()
    assert len(read_any(folder_of(tmp_path / "empty"))) == 0


def test_recordings_are_known_by_what_clips_of_them_are_known_by(tmp_path: Path) -> None:
    made = folder(tmp_path, "file,label,group\na.wav,tap,monday\n", "a.wav")
    digest = hashlib.sha256((tmp_path / "a.wav").read_bytes()).hexdigest()
    assert groups_of_videos(read_labelled(made), made) == {digest[:32]: "monday"}
