from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.evaluation.benchmarks.layouts import edit, remove, replace, write_litis_rouen
from tests.fakes import folder_of
from xmodal_kedro.evaluation.benchmarks.litis_rouen import LISTING, TEST, TRAIN, read_benchmark


def test_scenes_are_told_by_names_and_each_clip_is_a_group(tmp_path: Path) -> None:
    clips = read_benchmark(write_litis_rouen(tmp_path)).clips
    assert list(clips["file"][2:4]) == ["data_rouen/avion30.wav", "data_rouen/metro-paris1.wav"]
    assert clips["category"].unique().tolist() == ["avion", "metro-paris", "bus"]
    assert clips["group"].to_list() == list(range(9))


def test_divisions_are_the_twenty_that_the_files_have(tmp_path: Path) -> None:
    splits = read_benchmark(write_litis_rouen(tmp_path)).splits
    assert len(splits) == 20
    assert [split.test.tolist() for split in splits[:3]] == [[0, 3, 6], [1, 4, 7], [2, 5, 8]]
    assert all(sorted([*split.train, *split.test]) == list(range(9)) for split in splits)


def test_numbers_need_not_be_those_of_the_lines(tmp_path: Path) -> None:
    write_litis_rouen(tmp_path)
    edit(LISTING, lambda text: "\n".join(reversed(text.splitlines())))(tmp_path)
    benchmark = read_benchmark(folder_of(tmp_path))
    tested = benchmark.clips["file"][benchmark.splits[0].test]
    assert tested.to_list() == ["data_rouen/avion1.wav", "data_rouen/metro-paris1.wav", "data_rouen/bus1.wav"]


ONE, TWO = "1.0000000e+00", "2.0000000e+00"


@pytest.mark.parametrize(
    ("spoil", "file", "message"),
    [
        (remove(TEST), TEST, r"is missing"),
        (remove("data_rouen/bus2.wav"), LISTING, r"lacks 1 of the 9 sounds .* data_rouen/bus2.wav"),
        (replace(LISTING, "avion1.wav", "avion 1.wav"), LISTING, r"a file's name and its number in row 1"),
        (replace(LISTING, "avion1.wav", "avion.wav"), LISTING, r"names avion.wav"),
        (replace(LISTING, "avion1.wav", "avion2.wav"), LISTING, r"lists 1 file twice, such as data_rouen/avion2.wav"),
        (replace(LISTING, "\t 2\n", "\t 1\n"), LISTING, r"gives the number 1 to several files"),
        (replace(LISTING, "\t 9\n", "\t x\n"), LISTING, r"holds what is no number"),
        (edit(TRAIN, lambda text: text.partition("\n")[2]), TRAIN, r"has 19 lines where there are 20"),
        (replace(TEST, ONE, TWO), TEST, r"both trained and tested on in split 1, such as data_rouen/avion2.wav"),
        (replace(TEST, ONE, "1.2e+01"), TEST, r"names clip 12 in line 1, which relation_wav_examples.txt does not"),
        (replace(TEST, ONE, "1.5"), TEST, r"holds 1.5, which is no whole number"),
        (replace(TEST, ONE, "4"), TEST, r"names a clip twice in line 1"),
        (replace(TRAIN, f"{TWO}   3.0000000e+00", ""), TEST, r"no clip of avion to train on where fold 1"),
    ],
)
def test_a_broken_folder_is_one_error_that_names_the_file(
    tmp_path: Path, spoil: Callable[[Path], None], file: str, message: str
) -> None:
    write_litis_rouen(tmp_path)
    spoil(tmp_path)
    with pytest.raises((ValueError, FileNotFoundError), match=message) as caught:
        read_benchmark(folder_of(tmp_path))
    assert file in str(caught.value)
