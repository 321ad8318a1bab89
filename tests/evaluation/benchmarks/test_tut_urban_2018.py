from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.evaluation.benchmarks.layouts import edit, remove, replace, write_tut_urban_2018
from tests.fakes import folder_of
from xmodal_kedro.evaluation.benchmarks.tut_urban_2018 import METADATA, TEST, TRAIN, read_benchmark


def test_the_official_division_covers_all_segments_by_place(tmp_path: Path) -> None:
    benchmark = read_benchmark(write_tut_urban_2018(tmp_path))
    (split,) = benchmark.splits
    assert sorted([*split.train, *split.test]) == list(range(12))
    assert benchmark.clips["file"][split.test].str.extract(r"-(\d+)-\d-a")[0].unique().tolist() == ["1", "11"]
    assert benchmark.clips["group"].to_list() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]


def test_a_place_that_is_trained_and_tested_on_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_tut_urban_2018(tmp_path)
    replace(METADATA, "bus\tmilan-1", "bus\tmilan-0")(tmp_path)
    with caplog.at_level(logging.WARNING):
        assert read_benchmark(folder_of(tmp_path)).divided == ("milan-0",)
    assert "1 place is both trained and tested on: milan-0" in caplog.text


def append(name: str, line: str) -> Callable[[Path], None]:
    return edit(name, lambda text: text + line + "\n")


@pytest.mark.parametrize(
    ("spoil", "file", "message"),
    [
        (remove(TRAIN), TRAIN, r"is missing"),
        (remove("audio/bus-milan-0-0-a.wav"), METADATA, r"lacks 1 of the 12 sounds"),
        (replace(METADATA, "identifier", "place"), METADATA, r"no column identifier"),
        (edit(METADATA, lambda text: text.replace("\t", ",")), METADATA, r"no column filename, scene_label, ident"),
        (append(METADATA, "audio/bus-milan-0-0-a.wav\tbus\tmilan-0\ta"), METADATA, r"lists 1 file twice"),
        (append(TRAIN, "audio/bus-milan-0-0-a.wav\tbus"), TRAIN, r"lists 1 file twice"),
        (append(TEST, "audio/bus-milan-0-0-a.wav\tbus"), TEST, r"both trained and tested on in split 1"),
        (append(TRAIN, "audio/tram-milan-0-0-a.wav\ttram"), TRAIN, r"1 file that meta.csv does not list, such as"),
        (replace(TRAIN, "\tbus", "\tpark"), TRAIN, r"calls audio/bus-milan-0-0-a.wav park, and meta.csv bus"),
        (edit(TEST, lambda text: text.partition("\n")[2]), METADATA, r"lists 1 file that neither"),
        (edit(TEST, lambda text: text.replace("\tbus", "").replace("\tpark", "")), TEST, r"no column scene_label"),
    ],
)
def test_a_broken_folder_is_one_error_that_names_the_file(
    tmp_path: Path, spoil: Callable[[Path], None], file: str, message: str
) -> None:
    write_tut_urban_2018(tmp_path)
    spoil(tmp_path)
    with pytest.raises((ValueError, FileNotFoundError), match=message) as caught:
        read_benchmark(folder_of(tmp_path))
    assert file in str(caught.value)
