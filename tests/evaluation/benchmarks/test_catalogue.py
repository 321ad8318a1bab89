from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.evaluation.benchmarks.layouts import LAYOUTS, write_sound
from tests.fakes import folder_of
from xmodal_kedro.evaluation.benchmarks.catalogue import CATALOGUE, read_benchmark

METADATA = {
    "esc50": "meta/esc50.csv",
    "esc10": "meta/esc50.csv",
    "urbansound8k": "metadata/UrbanSound8K.csv",
    "tut_urban_2018": "meta.csv",
    "litis_rouen": "relation_wav_examples.txt",
    "csv": "clips.csv",
}
every_benchmark = pytest.mark.parametrize("name", CATALOGUE)


@every_benchmark
def test_no_clip_is_both_trained_and_tested_on_and_every_tested_class_is_trained_on(name: str, tmp_path: Path) -> None:
    benchmark = read_benchmark(LAYOUTS[name](tmp_path), name)
    category = benchmark.clips["category"].to_numpy()
    for split in benchmark.splits:
        assert len(split.train)
        assert len(split.test)
        assert not set(split.train) & set(split.test)
        assert set(category[split.test]) <= set(category[split.train])
    assert [split.fold for split in benchmark.splits] == list(range(1, len(benchmark.splits) + 1))


@every_benchmark
def test_no_group_is_divided_by_a_split(name: str, tmp_path: Path) -> None:
    benchmark = read_benchmark(LAYOUTS[name](tmp_path), name)
    group = benchmark.clips["group"].to_numpy()
    for split in benchmark.splits:
        assert not set(group[split.train]) & set(group[split.test])


@every_benchmark
def test_clips_are_named_as_their_files_are_in_the_folder(name: str, tmp_path: Path) -> None:
    benchmark = read_benchmark(LAYOUTS[name](tmp_path), name)
    assert list(benchmark.clips.columns) == ["file", "category", "group"]
    assert [file.name for file in benchmark.audio] == benchmark.clips["file"].to_list()
    assert benchmark.clips["file"].is_unique
    assert benchmark.clips["group"].dtype == np.int64


@every_benchmark
def test_a_part_of_what_is_published_is_not_complete(name: str, tmp_path: Path) -> None:
    assert read_benchmark(LAYOUTS[name](tmp_path), name).complete == (CATALOGUE[name].size is None)


@every_benchmark
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.unlink(), "is missing: name the folder of"),
        (lambda path: path.write_bytes(b"\xff\xfe" + path.read_bytes()), "is not UTF-8 text"),
        (lambda path: path.write_text("\n"), "is empty"),
    ],
)
def test_metadata_that_cannot_be_read_is_one_error_that_names_it_and_the_page(
    name: str, tmp_path: Path, spoil: Callable[[Path], None], message: str
) -> None:
    LAYOUTS[name](tmp_path)
    spoil(tmp_path / METADATA[name])
    if name == "csv" and not (tmp_path / METADATA[name]).exists():
        for folder in ("dogs", "cats"):  # folders that are named by a class do without a table
            shutil.rmtree(tmp_path / folder)
    with pytest.raises((ValueError, FileNotFoundError), match=message) as caught:
        read_benchmark(folder_of(tmp_path), name)
    assert METADATA[name] in str(caught.value)
    assert CATALOGUE[name].page in str(caught.value)


@every_benchmark
def test_sounds_that_are_not_there_are_one_error_that_names_them(name: str, tmp_path: Path) -> None:
    file = read_benchmark(LAYOUTS[name](tmp_path), name).clips["file"][0]
    (tmp_path / file).unlink()
    remedy = "put them there" if name == "csv" else "complete"
    with pytest.raises(FileNotFoundError, match=f"lacks 1 of the .* such as {file}: {remedy}"):
        read_benchmark(folder_of(tmp_path), name)


@every_benchmark
def test_sounds_that_are_not_listed_are_told_and_not_used(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expected = read_benchmark(LAYOUTS[name](tmp_path), name).clips
    assert not caplog.records
    write_sound(tmp_path, "audio/forgotten.wav")
    with caplog.at_level(logging.WARNING):
        assert read_benchmark(folder_of(tmp_path), name).clips.equals(expected)
    assert "1 sound is not used" in caplog.text
    assert "audio/forgotten.wav" in caplog.text
