from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.benchmarks.sounds import write_benchmark
from tests.fakes import folder_of
from xmodal_kedro.benchmarks.esc50 import COMPLETE, check_benchmark, read_benchmark


def test_clips_and_files_come_in_the_order_of_the_metadata(tmp_path: Path) -> None:
    benchmark = read_benchmark(write_benchmark(tmp_path), "esc50")
    assert list(benchmark.clips["file"][:4]) == ["1-0.wav", "1-1.wav", "1-2.wav", "2-0.wav"]
    assert [file.name for file in benchmark.audio] == [f"audio/{name}" for name in benchmark.clips["file"]]


def test_esc10_is_the_marked_subset(tmp_path: Path) -> None:
    assert set(read_benchmark(write_benchmark(tmp_path), "esc10").clips["category"]) == {"low", "middle"}


def test_the_real_esc10_is_complete_and_balanced(real_data: Path) -> None:
    clips = read_benchmark(folder_of(real_data / "esc10"), "esc10").clips
    assert (len(clips), clips["category"].nunique()) == COMPLETE["esc10"]
    assert set(clips.groupby(["fold", "category"]).size()) == {8}


def edit(change: Callable[[str], str]) -> Callable[[Path], None]:
    def apply(root: Path) -> None:
        metadata = root / "meta" / "esc50.csv"
        metadata.write_text(change(metadata.read_text()))

    return apply


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda root: (root / "meta" / "esc50.csv").unlink(), r"meta/esc50.csv is missing: name the folder"),
        (lambda root: (root / "audio" / "2-1.wav").unlink(), r"lacks 1 of the 15 sounds .* 2-1.wav: complete"),
        (edit(lambda text: text.replace("fold", "part", 1)), r"no column fold: take the file"),
        (edit(lambda text: text.replace("1-0.wav,1,", "1-0.wav,9,")), r"folds \(1, 2, 3, 4, 5, 9\)"),
        (edit(lambda text: text.replace("1-0.wav,1,", "1-0.wav,one,")), r"folds \(0, 1, 2, 3, 4, 5\)"),
        (edit(lambda text: text.replace("3-2.wav,3,2,high", "3-2.wav,3,2,low")), r"no clip of high in fold 3"),
        (edit(lambda text: text + "1-0.wav,1,0,low,True,0,A\n"), r"lists 1 files twice, such as 1-0.wav"),
        (edit(lambda text: text.splitlines()[0] + "\n"), r"lists no clip of esc50"),
    ],
)
def test_a_broken_folder_is_one_error_that_names_the_file(
    tmp_path: Path, spoil: Callable[[Path], None], message: str
) -> None:
    write_benchmark(tmp_path)
    spoil(tmp_path)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        check_benchmark(folder_of(tmp_path), "esc50")


def test_esc10_of_a_folder_that_marks_none_says_which_parameter_to_set(tmp_path: Path) -> None:
    write_benchmark(tmp_path)
    edit(lambda text: text.replace("True", "False"))(tmp_path)
    with pytest.raises(ValueError, match="set transfer_eval.benchmark"):
        check_benchmark(folder_of(tmp_path), "esc10")
