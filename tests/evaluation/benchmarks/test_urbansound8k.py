from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.evaluation.benchmarks.layouts import edit, remove, replace, write_urbansound8k
from tests.fakes import folder_of
from xmodal_kedro.evaluation.benchmarks.urbansound8k import METADATA, read_benchmark


def test_slices_come_in_the_order_of_the_metadata_from_their_folds_folder(tmp_path: Path) -> None:
    clips = read_benchmark(write_urbansound8k(tmp_path)).clips
    assert list(clips["file"][:2]) == ["audio/fold1/101-0-0-0.wav", "audio/fold1/101-1-0-0.wav"]
    assert list(clips["category"][:2]) == ["dog_bark", "siren"]


def test_each_of_the_ten_folds_is_tested_once(tmp_path: Path) -> None:
    benchmark = read_benchmark(write_urbansound8k(tmp_path))
    tested = [benchmark.clips["group"][split.test].unique().tolist() for split in benchmark.splits]
    assert tested == [[fold] for fold in range(1, 11)]
    assert all(len(split.train) == 18 for split in benchmark.splits)


def test_recordings_in_two_folds_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_urbansound8k(tmp_path)
    assert read_benchmark(folder_of(tmp_path)).divided == ()
    replace(METADATA, ",103,", ",102,")(tmp_path)
    assert read_benchmark(folder_of(tmp_path)).divided == ("102",)
    assert "1 recording is both trained and tested on: 102" in caplog.text


def move(root: Path) -> None:
    (root / "audio/fold3/103-0-0-0.wav").rename(root / "audio/fold4/103-0-0-0.wav")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (move, r"1 slice in another fold's folder .* audio/fold4/103-0-0-0.wav for audio/fold3/103-0-0-0.wav"),
        (replace(METADATA, ",1,3,0,dog_bark", ",1,4,0,dog_bark"), r"1 slice in another fold's folder"),
        (remove("audio/fold3/103-0-0-0.wav"), r"lacks 1 of the 20 sounds .* audio/fold3/103-0-0-0.wav"),
        (edit(METADATA, lambda text: text.rpartition("110-0")[0]), r"has the folds \(1, 2, 3, 4, 5, 6, 7, 8, 9\)"),
        (replace(METADATA, "slice_file_name", "file"), r"no column slice_file_name"),
        (edit(METADATA, lambda text: text + text.splitlines()[1] + "\n"), r"lists 1 file twice"),
        (replace(METADATA, "3,1,siren", "3,1,gun_shot"), r"no clip of gun_shot to train on where fold 3"),
    ],
)
def test_a_broken_folder_is_one_error_that_names_the_file(
    tmp_path: Path, spoil: Callable[[Path], None], message: str
) -> None:
    write_urbansound8k(tmp_path)
    spoil(tmp_path)
    with pytest.raises((ValueError, FileNotFoundError), match=message) as caught:
        read_benchmark(folder_of(tmp_path))
    assert METADATA in str(caught.value)
