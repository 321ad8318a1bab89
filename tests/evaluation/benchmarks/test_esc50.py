from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.evaluation.benchmarks.layouts import edit, remove, replace
from tests.evaluation.sounds import write_benchmark
from tests.fakes import folder_of
from xmodal_kedro.evaluation.benchmarks.esc50 import COMPLETE, METADATA, read_benchmark
from xmodal_kedro.params import SampleParams
from xmodal_kedro.sample.benchmark import benchmark_files


def test_clips_come_in_the_order_of_the_metadata(tmp_path: Path) -> None:
    clips = read_benchmark(write_benchmark(tmp_path), "esc50").clips
    assert list(clips["file"][:4]) == ["audio/1-0.wav", "audio/1-1.wav", "audio/1-2.wav", "audio/2-0.wav"]
    assert list(clips["category"][:4]) == ["low", "middle", "high", "low"]


def test_each_official_fold_is_tested_once_and_is_a_group(tmp_path: Path) -> None:
    benchmark = read_benchmark(write_benchmark(tmp_path), "esc50")
    group = benchmark.clips["group"]
    assert [set(group[split.test]) for split in benchmark.splits] == [{1}, {2}, {3}, {4}, {5}]


def test_esc10_is_the_marked_subset(tmp_path: Path) -> None:
    assert set(read_benchmark(write_benchmark(tmp_path), "esc10").clips["category"]) == {"low", "middle"}


def test_the_real_esc10_is_complete_and_balanced(real_data: Path) -> None:
    benchmark = read_benchmark(folder_of(real_data / "esc10"), "esc10")
    assert benchmark.complete
    assert (len(benchmark.audio), benchmark.clips["category"].nunique()) == COMPLETE["esc10"]
    assert set(benchmark.clips.groupby(["group", "category"]).size()) == {8}
    assert {(len(split.train), len(split.test)) for split in benchmark.splits} == {(320, 80)}


def test_recordings_in_two_folds_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_benchmark(tmp_path)
    assert read_benchmark(folder_of(tmp_path), "esc50").divided == ()
    replace(METADATA, "True,10,A", "True,21,A")(tmp_path)
    assert read_benchmark(folder_of(tmp_path), "esc50").divided == ("21",)
    assert "1 recording is both trained and tested on: 21" in caplog.text


def test_the_real_esc50_has_four_recordings_in_two_folds(real_data: Path) -> None:
    benchmark = read_benchmark(folder_of(real_data / "esc50"), "esc50")
    assert benchmark.divided == ("131943", "134049", "209698", "234879")


def test_other_sounds_are_not_esc10_though_they_are_as_many(tmp_path: Path) -> None:
    files = benchmark_files(SampleParams(benchmark_clips_per_class=40))
    (tmp_path / "audio").mkdir()
    (tmp_path / "meta").mkdir()
    (tmp_path / METADATA).write_bytes(bytes(files.pop(METADATA)))
    for name in files:
        (tmp_path / name).touch()
    benchmark = read_benchmark(folder_of(tmp_path), "esc10")
    assert (len(benchmark.audio), benchmark.clips["category"].nunique()) == COMPLETE["esc10"]
    assert not benchmark.complete


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (remove("audio/2-1.wav"), r"lacks 1 of the 15 sounds .* audio/2-1.wav: complete"),
        (replace(METADATA, "fold", "part"), r"no column fold: take the file"),
        (replace(METADATA, "1-0.wav,1,", "1-0.wav,9,"), r"folds \(1, 2, 3, 4, 5, 9\)"),
        (replace(METADATA, "1-0.wav,1,", "1-0.wav,one,"), r"fold 'one', which is no whole number"),
        (replace(METADATA, "1-0.wav,1,0,low", "1-0.wav,1,0,"), r"no category in row 1"),
        (replace(METADATA, "3-2.wav,3,2,high", "3-2.wav,3,2,owl"), r"no clip of owl to train on where fold 3"),
        (edit(METADATA, lambda text: text + "1-0.wav,1,0,low,True,0,A\n"), r"lists 1 file twice, such as audio/1-0"),
        (edit(METADATA, lambda text: text.splitlines()[0] + "\n"), r"lists no clip"),
        (edit(METADATA, lambda text: text + '"1,\n'), r"is no table"),
    ],
)
def test_a_broken_folder_is_one_error_that_names_the_file(
    tmp_path: Path, spoil: Callable[[Path], None], message: str
) -> None:
    write_benchmark(tmp_path)
    spoil(tmp_path)
    with pytest.raises((ValueError, FileNotFoundError), match=message) as caught:
        read_benchmark(folder_of(tmp_path), "esc50")
    assert METADATA in str(caught.value)


def test_esc10_of_a_folder_that_marks_none_says_which_parameter_to_set(tmp_path: Path) -> None:
    write_benchmark(tmp_path)
    edit(METADATA, lambda text: text.replace("True", "False"))(tmp_path)
    with pytest.raises(ValueError, match="set transfer_eval.benchmark"):
        read_benchmark(folder_of(tmp_path), "esc10")


def test_esc10_needs_no_sound_outside_of_it(tmp_path: Path) -> None:
    write_benchmark(tmp_path)
    remove("audio/1-2.wav")(tmp_path)
    assert len(read_benchmark(folder_of(tmp_path), "esc10").clips) == 10
