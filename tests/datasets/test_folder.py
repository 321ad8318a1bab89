import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from kedro.io import DatasetError

from tests.project import PROJECT
from xmodal_kedro.datasets.errors import DataError
from xmodal_kedro.datasets.folder import FolderDataset
from xmodal_kedro.recipes import recipe


def dataset(folder: Path) -> FolderDataset:
    return FolderDataset(path=str(folder), engine={"backend": "threading", "workers": 2})


@recipe("render of test_folder", version=1)
def render(text: str, log: str) -> bytes:
    with Path(log).open("a") as stream:
        stream.write(text)
    return text.encode()


@recipe("fail of test_folder", version=1)
def fail() -> bytes:
    raise ValueError("no such encoder")


def test_a_folder_is_listed_with_names_relative_to_it_and_without_hidden_files(tmp_path: Path) -> None:
    for name in ("b.txt", "deep/er/a.txt", ".hidden", ".git/config"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    folder = dataset(tmp_path).load()
    assert list(folder) == ["b.txt", "deep/er/a.txt"]
    assert folder["deep/er/a.txt"].read_bytes() == b"deep/er/a.txt"
    assert folder["b.txt"].size_bytes == 5


def test_a_file_counts_by_name_and_content_wherever_the_folder_is(tmp_path: Path) -> None:
    for place, content in (("one", "x"), ("two", "x"), ("three", "y")):
        (tmp_path / place).mkdir()
        (tmp_path / place / "file").write_text(content)
    one, two, three = (dataset(tmp_path / place).load()["file"].fingerprint for place in ("one", "two", "three"))
    assert one == two
    assert one != three


def test_bytes_and_jobs_are_saved_and_a_second_save_writes_nothing(tmp_path: Path) -> None:
    log = str(tmp_path / "log")
    content = {"a/one.txt": b"one", "two.txt": partial(render, "two", log)}
    saved = dataset(tmp_path / "out")
    assert not saved.exists()
    saved.save(content)
    saved.save(content)
    assert saved.exists()
    assert {name: file.read_bytes() for name, file in saved.load().items()} == {"a/one.txt": b"one", "two.txt": b"two"}
    assert Path(log).read_text() == "two"


def test_only_files_of_an_earlier_save_are_removed(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    saved = dataset(tmp_path)
    saved.save({"one.txt": b"1", "two.txt": b"2"})
    saved.save({"two.txt": b"2"})
    assert list(saved.load()) == ["mine.txt", "two.txt"]


def test_a_file_that_was_there_before_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta" / "a.csv").write_bytes(b"a user's")
    dataset = FolderDataset(path=str(tmp_path))
    with pytest.raises(DataError, match=r"meta/a.csv was there before, and would be overwritten: choose another"):
        dataset.save({"meta/a.csv": b"ours", "b.wav": b"ours"})
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["a.csv"]
    assert (tmp_path / "meta" / "a.csv").read_bytes() == b"a user's"


def test_a_failing_file_is_named_costs_only_itself_and_leaves_the_folder_incomplete(tmp_path: Path) -> None:
    saved = dataset(tmp_path)
    with pytest.raises(DatasetError, match="1 of 2 files failed, the others are kept:\n  bad.mp4: ValueError: no such"):
        saved.save({"good.mp4": b"good", "bad.mp4": fail})
    assert (tmp_path / "good.mp4").exists()
    assert not saved.exists()
    with pytest.raises(DatasetError, match="not complete"):
        saved.load()


def test_of_many_failing_files_the_first_are_named_and_the_others_counted(tmp_path: Path) -> None:
    jobs = {f"{number:02}.wav": fail for number in range(30)}
    with pytest.raises(DatasetError, match=r"30 of 30 files failed(?s:.*)09.wav: ") as raised:
        FolderDataset(path=str(tmp_path / "out"), engine={"backend": "threading"}).save(dict(jobs))
    assert "and 20 more" in str(raised.value) and "10.wav" not in str(raised.value)


def test_a_missing_folder_and_a_missing_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no folder at .*nowhere"):
        dataset(tmp_path / "nowhere").load()
    (tmp_path / "a").write_text("a")
    with pytest.raises(FileNotFoundError, match=r"has no file 'model.onnx'"):
        dataset(tmp_path).load().file("model.onnx")


def test_an_optional_folder_that_is_not_there_is_an_empty_one(tmp_path: Path) -> None:
    engine = {"backend": "threading", "workers": 1}
    optional = FolderDataset(path=str(tmp_path / "teachers"), optional=True, engine=engine)
    assert optional.exists()
    assert len(optional.load()) == 0
    assert optional.load().root == str(tmp_path / "teachers")
    assert not dataset(tmp_path / "teachers").exists()
    optional.save({"a": b"a", "b": b"b"})
    (tmp_path / "teachers" / "b").unlink()
    assert not optional.exists()


def test_linked_folders_are_entered_once(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.mp4").write_text("a")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "root")
    assert list(dataset(tmp_path / "root").load()) == ["linked/a.mp4"]


def test_odd_names_are_read_and_can_be_written_in_tables(tmp_path: Path) -> None:
    (tmp_path / "a::b.mp4").write_bytes(b"odd")
    (tmp_path / "nowhere.mp4").symlink_to(tmp_path / "gone")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.mp4")).write_bytes(b"latin")
    folder = dataset(tmp_path).load()
    assert list(folder) == ["a::b.mp4", r"caf\xe9.mp4", "nowhere.mp4"]
    assert [file.read_bytes() for file in list(folder.values())[:2]] == [b"odd", b"latin"]
    assert all(name.encode() for name in folder)


def test_a_killed_save_leaves_no_file_that_the_next_one_keeps_by_mistake(tmp_path: Path) -> None:
    script = (
        "import os, signal\n"
        "from pathlib import Path\nfrom tests.datasets.test_folder import dataset\n"
        "from xmodal_kedro.recipes import recipe\n"
        "@recipe('die', version=1)\ndef die() -> bytes:\n    os.kill(os.getpid(), signal.SIGKILL)\n    return b''\n"
        f"dataset(Path({str(tmp_path)!r})).save({{'a': b'a', 'b': b'b', 'z': die}})\n"
    )
    assert subprocess.run([sys.executable, "-c", script], cwd=PROJECT, check=False).returncode == -signal.SIGKILL
    (tmp_path / ".partial-a-0123").write_bytes(b"half")
    dataset(tmp_path).save({"a": b"a"})
    assert sorted(path.name for path in tmp_path.iterdir()) == [".index.json", "a"]
