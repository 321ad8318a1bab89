from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.evaluation.benchmarks.layouts import edit, remove, replace, write_csv
from tests.fakes import folder_of
from xmodal_kedro.evaluation.benchmarks.csv_folds import METADATA, read_benchmark


def test_clips_come_in_the_order_of_the_rows(tmp_path: Path) -> None:
    clips = read_benchmark(write_csv(tmp_path)).clips
    assert list(clips["file"][:3]) == ["dogs/1_0.WAV", "dogs/1_1.wav", "cats/1_0.WAV"]
    assert list(clips["group"][:3]) == [0, 0, 1]


def test_each_fold_is_tested_once(tmp_path: Path) -> None:
    splits = read_benchmark(write_csv(tmp_path)).splits
    assert [split.test.tolist() for split in splits] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]


def without_groups(text: str) -> str:
    return "\n".join(line.rpartition(",")[0] for line in text.splitlines())


def test_without_groups_folds_are_groups(tmp_path: Path) -> None:
    write_csv(tmp_path)
    edit(METADATA, without_groups)(tmp_path)
    assert read_benchmark(folder_of(tmp_path)).clips["group"].to_list() == [1] * 4 + [2] * 4 + [3] * 4


def test_of_two_folds_a_part_can_be_held_out_since_clips_are_groups(tmp_path: Path) -> None:
    write_csv(tmp_path)
    edit(METADATA, lambda text: "\n".join(without_groups(text).splitlines()[:9]))(tmp_path)
    assert read_benchmark(folder_of(tmp_path)).clips["group"].to_list() == list(range(8))


def test_a_byte_order_mark_and_spaces_after_commas_are_no_matter(tmp_path: Path) -> None:
    write_csv(tmp_path)
    edit(METADATA, lambda text: "\ufeff" + text.replace(",", ", "))(tmp_path)
    assert len(read_benchmark(folder_of(tmp_path)).clips) == 12


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (remove("dogs/1_0.WAV"), r"lacks 1 of the 12 sounds .* dogs/1_0.WAV"),
        (replace(METADATA, "label", "class"), r"no column label: correct it \(docs/benchmarks.md\)"),
        (replace(METADATA, "dog,1,dog 1", "dog,0,dog 1"), r"fold '0', which is no whole number from 1 on"),
        (replace(METADATA, "dog,1,dog 1", ",1,dog 1"), r"no label in row 1"),
        (replace(METADATA, "dog,1,dog 1", "dog,1,"), r"no group in row 1"),
        (replace(METADATA, "dog,1,dog 1", "dog,2,dog 1"), r"the group 'dog 1' in the folds \(1, 2\)"),
        (replace(METADATA, "dog,1,dog 1", "owl,1,dog 1"), r"no clip of owl to train on where fold 1"),
        (replace(METADATA, "dogs/1_0.WAV", "dogs/1_1.wav"), r"lists 1 file twice, such as dogs/1_1.wav"),
        (edit(METADATA, lambda text: "\n".join(text.splitlines()[:5])), r"has fold 1 alone"),
    ],
)
def test_a_broken_folder_is_one_error_that_names_the_file(
    tmp_path: Path, spoil: Callable[[Path], None], message: str
) -> None:
    write_csv(tmp_path)
    spoil(tmp_path)
    with pytest.raises((ValueError, FileNotFoundError), match=message) as caught:
        read_benchmark(folder_of(tmp_path))
    assert METADATA in str(caught.value)
