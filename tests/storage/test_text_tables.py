from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xmodal_kedro.storage.text_tables import SEPARATORS, decode, find_column, read_table, stripped

TEXT = "file,label\nküche/1.wav,Kessel\n"
CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n", exclude_categories=["Cs"]), max_size=12)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_a_text_is_the_same_in_every_encoding_of_excel(encoding: str) -> None:
    assert decode(TEXT.encode(encoding)).text == TEXT


def test_the_byte_order_mark_of_big_endian_utf_16_counts_too() -> None:
    assert decode(b"\xfe\xff" + TEXT.encode("utf-16-be")).text == TEXT


@pytest.mark.parametrize("content", [b"a\x81\x8d", b"\xff\xfea,b\n", b"\xff\xfea"])
def test_what_is_in_none_of_the_encodings_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="not UTF-8"):
        decode(content)


@given(st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1), st.sampled_from(SEPARATORS))
def test_every_cell_comes_back_as_text_without_spaces_at_its_ends(rows: list[list[str]], separator: str) -> None:
    written = io.StringIO()
    csv.writer(written, delimiter=separator, quoting=csv.QUOTE_ALL).writerows([["file", "label", "fold"], *rows])
    table = read_table(written.getvalue(), ["file", "fold"])
    assert table.header == ["file", "label", "fold"]
    assert table.rows == [row for cells in rows if any(row := [stripped(cell) for cell in cells])]


@pytest.mark.parametrize("separator", SEPARATORS)
@pytest.mark.parametrize("hint", ["", '"sep={}"\n', "sep={}\r\n"])
def test_the_separator_is_found(separator: str, hint: str) -> None:
    text = hint.format(separator) + separator.join(["file", "label", "fold"]) + "\n" + separator.join("abc") + "\n"
    for wanted in (["file", "label", "fold"], []):
        assert read_table(text, wanted) == (["file", "label", "fold"], [["a", "b", "c"]])


def test_rows_without_text_are_none_and_short_ones_are_filled() -> None:
    table = read_table("a;b;c\r\n1;2\r\n;;\r\n\r\n;3;4;;\r\n")
    assert table.rows == [["1", "2", ""], ["", "3", "4"]]


def test_a_cell_too_many_is_refused_with_its_row() -> None:
    with pytest.raises(ValueError, match="row 2 .*quotes"):
        read_table("a,b\n1,2\n1,2,3\n")


def test_a_column_is_found_in_other_case_unless_two_may_be_meant() -> None:
    assert find_column(["File", " LABEL\ufeff", "fold"], "label") == 1
    assert find_column(["File", "file"], "file") == 1
    assert find_column(["path"], "file") is None
    with pytest.raises(ValueError, match="2 columns file: 'File', 'FILE'"):
        find_column(["File", "FILE"], "file")
