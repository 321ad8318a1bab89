"""Files for other tools: made once, whole or not at all, and removed when nothing makes them any more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from kedro.io import DatasetError

from tests.datasets.saving import runs
from xmodal_kedro.datasets.errors import DataError
from xmodal_kedro.datasets.exported import INDEX_NAME, NOTES, ExportedFilesDataset
from xmodal_kedro.recipes import recipe
from xmodal_kedro.storage.exported import ExportedFile, FileJobs


def dataset(folder: Path, backend: str = "threading") -> ExportedFilesDataset:
    return ExportedFilesDataset(path=str(folder), engine={"backend": backend, "workers": 2})


@recipe("write of test_exported", version=1)
def write(number: int, names: tuple[str, ...], log: str, fails: bool = False) -> Iterator[ExportedFile]:
    with Path(log).open("a") as stream:
        stream.write(f"{number}\n")
    for name in names:
        yield ExportedFile(name, (piece for piece in (name.encode(), b" ", str(number).encode())))
    if fails:
        raise ValueError("no such encoder")


def contents(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {name: path.read_text() for path in files if (name := path.relative_to(folder).as_posix())[0] != "."}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def jobs(log: Path) -> FileJobs:
    return {
        "a": partial(write, 1, ("deep/er/one.txt", "two.txt"), str(log)),
        "b": partial(write, 2, (), str(log)),
        "c": partial(write, 3, ("three.txt",), str(log)),
    }


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_each_job_writes_its_files_and_a_second_save_writes_nothing(
    tmp_path: Path, jobs: FileJobs, log: Path, backend: str
) -> None:
    saved = dataset(tmp_path / "out", backend)
    assert not saved.exists()
    saved.save(jobs)
    expected = {"deep/er/one.txt": "deep/er/one.txt 1", "three.txt": "three.txt 3", "two.txt": "two.txt 1"}
    assert contents(tmp_path / "out") == expected
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}
    saved.save(jobs)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")} == written
    assert runs(log) == [1, 2, 3]
    assert saved.exists() and list(saved.load()) == list(expected)


def test_a_changed_job_runs_alone_and_its_old_files_go(tmp_path: Path, jobs: FileJobs, log: Path) -> None:
    saved = dataset(tmp_path)
    saved.save(jobs)
    saved.save({**jobs, "a": partial(write, 9, ("two.txt", "four.txt"), str(log))})
    assert runs(log) == [1, 2, 3, 9]
    assert {name: text for name, text in contents(tmp_path).items() if name != "log"} == {
        "four.txt": "four.txt 9",
        "three.txt": "three.txt 3",
        "two.txt": "two.txt 9",
    }


def test_folders_that_are_left_empty_go_and_those_with_other_files_stay(tmp_path: Path, log: Path) -> None:
    saved = dataset(tmp_path / "out")
    saved.save({"a": partial(write, 1, ("deep/er/one.txt", "kept/two.txt"), str(log))})
    (tmp_path / "out" / "kept" / "notes.txt").write_text("of a user")
    saved.save({"a": partial(write, 2, ("three.txt",), str(log))})
    assert contents(tmp_path / "out") == {"kept/notes.txt": "of a user", "three.txt": "three.txt 2"}
    assert not (tmp_path / "out" / "deep").exists()


def test_a_file_may_move_from_one_job_to_another(tmp_path: Path, log: Path) -> None:
    saved = dataset(tmp_path / "out")
    saved.save({"all": partial(write, 1, ("one.txt", "two.txt"), str(log))})
    saved.save({"0": partial(write, 2, ("one.txt",), str(log)), "1": partial(write, 3, ("two.txt",), str(log))})
    assert contents(tmp_path / "out") == {"one.txt": "one.txt 2", "two.txt": "two.txt 3"}


def test_a_file_that_is_missing_is_made_again_and_one_that_was_edited_stays(
    tmp_path: Path, jobs: FileJobs, log: Path
) -> None:
    saved = dataset(tmp_path / "out")
    saved.save(jobs)
    (tmp_path / "out" / "two.txt").unlink()
    (tmp_path / "out" / "three.txt").write_text("edited by hand")
    (tmp_path / "out" / "project.aup3").write_text("of a user")
    saved.save(jobs)
    assert runs(log) == [1, 1, 2, 3]
    assert contents(tmp_path / "out")["three.txt"] == "edited by hand"
    assert "project.aup3" in contents(tmp_path / "out") and "project.aup3" not in saved.load()


def test_a_job_that_fails_costs_itself_and_the_next_save_tries_it_alone(
    tmp_path: Path, jobs: FileJobs, log: Path
) -> None:
    saved = dataset(tmp_path / "out")
    broken = partial(write, 3, ("three.txt",), str(log), fails=True)
    with pytest.raises(DatasetError, match=r"1 of 3 jobs failed[^\n]*\n  c: ValueError: no such encoder"):
        saved.save({**jobs, "c": broken})
    assert not saved.exists()
    with pytest.raises(DatasetError, match="not complete"):
        saved.load()
    saved.save(jobs)
    assert runs(log) == [1, 2, 3, 3] and saved.exists()


def test_a_killed_save_leaves_no_part_of_a_file_and_its_job_runs_again(
    tmp_path: Path, jobs: FileJobs, log: Path
) -> None:
    saved = dataset(tmp_path / "out")
    saved.save(jobs)
    (tmp_path / "out" / NOTES / "a.json").unlink()  # as if killed before it was written
    (tmp_path / "out" / "deep" / "er" / ".partial-one.txt-0").write_text("one.t")
    saved.save(jobs)
    assert runs(log) == [1, 1, 2, 3]
    assert not list((tmp_path / "out").rglob(".partial*"))


@pytest.mark.parametrize("name", ["../outside.txt", "/outside.txt", "a//b.txt", ".hidden", "a/../b.txt", ""])
def test_no_job_writes_outside_the_folder_or_hidden_files(tmp_path: Path, log: Path, name: str) -> None:
    with pytest.raises(DatasetError, match="is no name of a file"):
        dataset(tmp_path / "out").save({"a": partial(write, 1, (name,), str(log))})
    assert not (tmp_path / "outside.txt").exists()


def test_two_jobs_that_make_one_file_are_an_error(tmp_path: Path, log: Path) -> None:
    both = {key: partial(write, number, ("same.txt",), str(log)) for number, key in enumerate("ab")}
    saved = dataset(tmp_path / "out")
    with pytest.raises(DatasetError, match="same.txt"):
        saved.save(both)
    assert not saved.exists()


def test_a_folder_of_a_newer_version_is_refused(tmp_path: Path, jobs: FileJobs) -> None:
    (tmp_path / INDEX_NAME).write_text(json.dumps({"scheme": 99}))
    with pytest.raises(DataError, match="newer version"):
        dataset(tmp_path).require_readable_index()
    with pytest.raises(DatasetError, match="newer version"):
        dataset(tmp_path).save(jobs)
    assert contents(tmp_path) == {}


def test_files_are_written_to_any_storage(jobs: FileJobs, log: Path) -> None:
    saved = ExportedFilesDataset(path="memory://exported/files", engine={"backend": "threading", "workers": 1})
    saved.save(jobs)
    saved.save(jobs)
    assert runs(log) == [1, 2, 3]
    assert {name: file.read_bytes() for name, file in saved.load().items()}["two.txt"] == b"two.txt 1"
