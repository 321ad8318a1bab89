"""Answers are read as the page, and spreadsheets, save them; what is wrong is refused in one line."""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import folder_of
from tests.review.corpus import answers_in
from xmodal_kedro.errors import UserError
from xmodal_kedro.review.answers import combine_answers, read_answers, warn_of_lost
from xmodal_kedro.schemas import ReviewedClips


def read(folder: Path, files: dict[str, str]) -> list[tuple[object, ...]]:
    return list(read_answers(answers_in(folder, files)).itertuples(index=False, name=None))


def test_no_folder_and_no_file_are_no_answers(tmp_path: Path) -> None:
    assert read(tmp_path / "none", {}) == []
    assert list(combine_answers(read_answers(folder_of(tmp_path))).columns) == list(ReviewedClips.to_schema().columns)


def test_rows_of_several_files_are_put_together(tmp_path: Path) -> None:
    files = {"a.csv": "c1,Dog,right,anna,2.5\n", "b.csv": "c1,Dog,wrong,ben,\n", "notes.txt": "no answers"}
    assert read(tmp_path, files) == [("c1", "Dog", "right", "anna", 2.5), ("c1", "Dog", "wrong", "ben", 0.0)]


def test_the_later_of_two_answers_of_one_reviewer_counts(tmp_path: Path) -> None:
    files = {"1.csv": "c1,Dog,right,anna,1\nc1,Dog,unsure,anna,2\n", "2.csv": "c1,Dog,wrong,anna,3\n"}
    assert read(tmp_path, files) == [("c1", "Dog", "wrong", "anna", 3.0)]


def test_a_file_without_names_is_of_the_reviewer_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "carla.csv").write_text("Class;CLIP_ID;answer\nDog;c1;Right\n", encoding="utf-16")
    assert read_answers(folder_of(tmp_path)).to_numpy().tolist() == [["c1", "Dog", "right", "carla", 0.0]]


@pytest.mark.parametrize("name", ["=1+1", "+x", "-x", "@x", "'=x", "'x", "''-x"])
def test_the_guard_of_a_cell_is_taken_off(tmp_path: Path, name: str) -> None:
    guarded = f"'{name}" if name.lstrip("'")[0] in "=+-@" else name
    assert read(tmp_path, {"a.csv": f"c1,{guarded},also,anna,1\n"}) == [("c1", name, "also", "anna", 1.0)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("clip,class,answer\nc1,Dog,right\n", "answers a.csv has no column clip_id: "),
        ("clip_id,class,answer\nc1,Dog,yes\n", "answers a.csv: row 1 has the answer 'yes': it is one of right, wrong"),
        ("clip_id,class,answer\nc1,,right\n", "answers a.csv: row 1 has no class: "),
        ("clip_id,class,answer\n,Dog,right\n", "answers a.csv: row 1 has no clip_id: "),
        ("clip_id,class,answer,seconds\nc1,Dog,right,soon\n", "answers a.csv: row 1 has 'soon' seconds: "),
        ("clip_id,class,answer,seconds\nc1,Dog,right,-1\n", "answers a.csv: row 1 has '-1' seconds: "),
        ("clip_id,class,answer\nc1,Chicken, rooster,right\n", "answers a.csv has more cells in row 1"),
    ],
)
def test_what_is_no_answer_is_refused_with_file_row_and_remedy(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(UserError) as refused:
        read_answers(folder_of(tmp_path))
    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)


def table(*rows: tuple[str, str, str, str]) -> pd.DataFrame:
    named = pd.DataFrame(rows, columns=["clip_id", "name", "answer", "reviewer"])
    return named.assign(seconds=1.0)


def combined(*rows: tuple[str, str, str, str]) -> dict[tuple[str, str], tuple[str, bool]]:
    result = combine_answers(table(*rows))
    ReviewedClips.validate(result)
    return {(row.clip_id, row.name): (row.answer, row.asked) for row in result.itertuples(index=False)}


def test_reviewers_who_differ_are_a_conflict_and_an_unsure_one_is_overruled() -> None:
    assert combined(
        ("c1", "Dog", "right", "anna"),
        ("c1", "Dog", "wrong", "ben"),
        ("c2", "Dog", "unsure", "anna"),
        ("c2", "Dog", "wrong", "ben"),
        ("c3", "Dog", "unsure", "anna"),
    ) == {("c1", "Dog"): ("conflict", True), ("c2", "Dog"): ("wrong", True), ("c3", "Dog"): ("unsure", True)}


def test_a_class_that_was_added_is_right_and_was_not_asked_about() -> None:
    assert combined(("c1", "Rain", "also", "anna"), ("c2", "Rain", "also", "anna"), ("c2", "Rain", "wrong", "ben")) == {
        ("c1", "Rain"): ("right", False),
        ("c2", "Rain"): ("conflict", True),
    }


ROW = st.tuples(
    st.sampled_from(["c1", "c2"]),
    st.sampled_from(["Dog", "Rain"]),
    st.sampled_from(["right", "wrong", "unsure", "also"]),
    st.sampled_from(["anna", "ben", "carla"]),
)


@given(rows=st.lists(ROW, unique_by=lambda row: (row[0], row[1], row[3])), data=st.data())
def test_the_order_of_answers_and_reviewers_does_not_matter(
    rows: list[tuple[str, str, str, str]], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(rows))
    pd.testing.assert_frame_equal(combine_answers(table(*rows)), combine_answers(table(*shuffled)))


def test_answers_about_clips_that_are_gone_are_counted_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    answers = table(("c1", "Dog", "right", "anna"), ("gone", "Dog", "right", "anna"))
    with caplog.at_level(logging.WARNING):
        kept = warn_of_lost(answers, {"c1"})
    assert kept["clip_id"].tolist() == ["c1"]
    assert [record.getMessage() for record in caplog.records] == [
        "1 answer is of clips that are no longer there, such as gone: they are kept in their files and not used"
    ]
