from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch
from kedro.io import DatasetError

from xmodal_kedro.datasets.checkpoints import CheckpointDataset, CheckpointFolder


def save(folder: CheckpointFolder, step: int, kept: int = 2) -> None:
    folder.save(step, {"weight": torch.full((3,), float(step))}, {"step": step}, kept)


@pytest.fixture(params=["local", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> CheckpointFolder:
    return CheckpointFolder(str(tmp_path / "state") if request.param == "local" else f"memory://{tmp_path}/state")


def test_there_is_none_before_the_first(folder: CheckpointFolder) -> None:
    assert folder.load() is None


def test_the_latest_comes_back_as_it_was(folder: CheckpointFolder) -> None:
    for step in (9, 10, 100):
        save(folder, step)
    tensors, state = folder.load() or ({}, {})
    assert state == {"step": 100} and torch.equal(tensors["weight"], torch.full((3,), 100.0))


@pytest.mark.parametrize("kept", [1, 2, 5])
def test_the_latest_are_kept_and_no_more(folder: CheckpointFolder, kept: int) -> None:
    for step in (1, 2, 3, 4):
        save(folder, step, kept)
    assert folder._steps() == [1, 2, 3, 4][-kept:]


def test_a_spoilt_one_gives_way_to_the_one_before(folder: CheckpointFolder) -> None:
    save(folder, 1)
    save(folder, 2)
    folder._fs.pipe_file(folder._file(2), b"\x10\x00\x00\x00\x00\x00\x00\x00not a header")
    assert (folder.load() or ({}, {}))[1] == {"step": 1}


def test_a_spoilt_one_does_not_count_as_one_of_the_latest(folder: CheckpointFolder) -> None:
    save(folder, 5, kept=1)
    save(folder, 10, kept=2)
    folder._fs.pipe_file(folder._file(10), b"spoilt")
    save(folder, 6, kept=1)
    assert folder._steps() == [6] and (folder.load() or ({}, {}))[1] == {"step": 6}


def test_where_none_can_be_read_the_error_names_the_folder(folder: CheckpointFolder) -> None:
    save(folder, 1)
    folder._fs.pipe_file(folder._file(1), b"")
    with pytest.raises(DatasetError, match=r"none of the checkpoints in .*state can be read: delete that folder"):
        folder.load()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.ETIMEDOUT])
def test_one_that_storage_or_a_full_disk_withholds_is_not_taken_for_spoilt(
    folder: CheckpointFolder, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(folder, 1)
    save(folder, 2)

    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as broken, pytest.raises(OSError, match=os.strerror(number)):
        broken.setattr(folder._fs, "get_file", refuse)
        broken.setattr("safetensors.safe_open", refuse)
        folder.load()
    assert (folder.load() or ({}, {}))[1] == {"step": 2}


def test_clearing_removes_them_all(folder: CheckpointFolder) -> None:
    save(folder, 1)
    folder.clear()
    assert folder.load() is None


def test_what_a_killed_writer_left_is_swept_when_training_begins(tmp_path: Path) -> None:
    folder = CheckpointFolder(str(tmp_path / "state"))
    save(folder, 1)
    (tmp_path / "state" / ".partial-step-000000002.safetensors-abc").write_bytes(b"half")
    CheckpointDataset(path=str(tmp_path / "state")).load()
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["step-000000001.safetensors"]
