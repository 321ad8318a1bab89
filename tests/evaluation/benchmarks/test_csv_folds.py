from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.evaluation.benchmarks.layouts import edit, remove, replace, write_csv
from tests.fakes import folder_of
from xmodal_kedro.errors import UserError
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


def rewritten(root: Path, change: Callable[[str], str] = str, encoding: str = "utf-8") -> pd.DataFrame:
    """The clips of a table that is stored in another way."""
    text = (root / METADATA).read_text()
    (root / METADATA).write_bytes(change(text).encode(encoding))
    return read_benchmark(folder_of(root)).clips


def in_folder(name: str) -> Callable[[str], str]:
    return lambda text: text.replace("dogs/", f"{name}/")


@pytest.mark.parametrize(
    ("change", "encoding"),
    [
        (lambda text: text.replace(",", ";"), "cp1252"),
        (lambda text: text.replace(",", "\t"), "utf-16"),
        (lambda text: "sep=;\r\n" + text.replace(",", ";").replace("\n", "\r\n"), "utf-8-sig"),
        (lambda text: text.replace("file,label,fold,group", "File, LABEL ,Fold,Group"), "utf-8"),
        (lambda text: text.replace("dog,", "dog ,").replace(",cat", ",\u00a0cat"), "utf-8"),
        (lambda text: text.replace("dogs/", "./dogs/").replace("cats/", "cats\\"), "utf-8"),
        (lambda text: text.replace("dogs/", "Dogs/").replace(".wav", ".Wav"), "utf-8"),
        (lambda text: text.replace(",1,", ",1.0,"), "utf-8"),
        (lambda text: text.replace(",", ";").replace(";1;", ";1,0;"), "utf-8"),
        (lambda text: text + ",,,\n\n ,,\n", "utf-8"),
    ],
    ids=["semicolons", "utf-16-tabs", "sep", "header", "spaces", "paths", "case", "1.0", "1,0", "empty-rows"],
)
def test_a_table_as_spreadsheets_save_it_is_the_same_table(
    tmp_path: Path, change: Callable[[str], str], encoding: str
) -> None:
    expected = read_benchmark(write_csv(tmp_path)).clips
    pd.testing.assert_frame_equal(rewritten(tmp_path, change, encoding), expected)


def test_an_absolute_path_into_the_folder_is_the_file(tmp_path: Path) -> None:
    expected = read_benchmark(write_csv(tmp_path)).clips
    pd.testing.assert_frame_equal(rewritten(tmp_path, in_folder(f"{tmp_path}/dogs")), expected)


@pytest.mark.parametrize(("called", "written"), [("k\u00fche", "ku\u0308he"), ("ku\u0308he", "k\u00fche")])
def test_letters_that_are_composed_in_another_way_are_the_same(tmp_path: Path, called: str, written: str) -> None:
    write_csv(tmp_path)
    (tmp_path / "dogs").rename(tmp_path / called)
    labelled = in_folder(written)(f"{(tmp_path / METADATA).read_text()}").replace(",dog,2", f",{called},2")
    clips = rewritten(tmp_path, lambda _: labelled.replace(",dog,", f",{written},"))
    assert clips["file"].str.startswith(f"{called}/").sum() == 6
    assert set(clips["category"]) == {"k\u00fche", "cat"}


def test_a_name_that_only_looks_like_the_file_is_shown_with_its_code_points(tmp_path: Path) -> None:
    write_csv(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"lacks 6 .*'d\\u043egs/1_0\.WAV' \(there is 'dogs/1_0\.WAV'\)"):
        rewritten(tmp_path, in_folder("d\u043egs"))


def test_a_name_that_may_mean_two_files_is_refused(tmp_path: Path) -> None:
    write_csv(tmp_path)
    shutil.copytree(tmp_path / "dogs", tmp_path / "DOGS")
    with pytest.raises(UserError, match=r"'Dogs/1_0.WAV', which may be any of 'DOGS/1_0.WAV', 'dogs/1_0.WAV'"):
        rewritten(tmp_path, in_folder("Dogs"))


def test_classes_that_differ_in_capitals_alone_are_named_in_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_csv(tmp_path)
    text = (tmp_path / METADATA).read_text()
    (tmp_path / METADATA).write_text(text.replace("_0.WAV,dog", "_0.WAV,Dog"))
    assert set(read_benchmark(folder_of(tmp_path)).clips["category"]) == {"Dog", "dog", "cat"}
    assert "'Dog' and 'dog' are taken for different classes" in caplog.text


@pytest.mark.parametrize("label", ["007", "1e5", "true", "NA", "null", "None", "nan", "-"])
def test_a_class_keeps_its_name_whatever_else_that_may_mean(tmp_path: Path, label: str) -> None:
    write_csv(tmp_path)
    assert set(rewritten(tmp_path, lambda text: text.replace("dog,", f"{label},"))["category"]) == {label, "cat"}


def test_a_split_that_trains_on_one_class_alone_says_how_many_are_needed(tmp_path: Path) -> None:
    write_csv(tmp_path)
    kept = ("file", "dogs/1_0", "dogs/2_0")
    with pytest.raises(UserError, match=r"clips of dog alone \(1\) .* at least 2 classes"):
        rewritten(tmp_path, lambda text: "\n".join(row for row in text.splitlines() if row.startswith(kept)))


def test_a_class_in_one_fold_alone_is_named_with_its_numbers(tmp_path: Path) -> None:
    write_csv(tmp_path)
    with pytest.raises(UserError, match=r"no clip of owl .*all 2 of owl are in that fold, and at least 1"):
        rewritten(tmp_path, lambda text: text.replace("dog,1", "owl,1"))


def test_folders_that_are_named_by_their_class_need_no_table(tmp_path: Path) -> None:
    write_csv(tmp_path)
    (tmp_path / METADATA).unlink()
    benchmark = read_benchmark(folder_of(tmp_path))
    assert benchmark.clips["category"].value_counts().to_dict() == {"cats": 6, "dogs": 6}
    assert len(benchmark.splits) == 5
    tested = np.concatenate([split.test for split in benchmark.splits])
    assert sorted(tested.tolist()) == list(range(12))


def test_without_folds_whole_groups_are_divided(tmp_path: Path) -> None:
    write_csv(tmp_path)
    rows = [line.split(",") for line in (tmp_path / METADATA).read_text().splitlines()]
    (tmp_path / METADATA).write_text("\n".join(f"{file},{label},{group}" for file, label, _, group in rows))
    benchmark = read_benchmark(folder_of(tmp_path))
    assert len(benchmark.splits) == 3  # groups of a class
    for split in benchmark.splits:
        groups = benchmark.clips["group"].to_numpy()
        assert not set(groups[split.train]) & set(groups[split.test])
