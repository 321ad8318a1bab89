"""`make recipes` writes no lock without a proof."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from xmodal_kedro.cli.recipe_lock import LOCK_NAME
from xmodal_kedro.cli.recipes import main


def git(*arguments: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    subprocess.run(["git", *identity, *arguments], check=True, capture_output=True)


@pytest.mark.parametrize("committed", [False, True])
def test_a_lock_that_git_knows_is_not_written_anew_when_it_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], committed: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    git("init", "-q")
    Path(LOCK_NAME).write_text("the last one")
    git("add", LOCK_NAME)
    git("commit", "-qm", "Lock recipes")
    Path(LOCK_NAME).unlink()
    if committed:
        git("commit", "-qam", "Delete it")
    for option in ("--write", "--accept"):
        assert main([option]) == 1
        command = capsys.readouterr().out.partition("`")[2].partition("`")[0]
        assert not Path(LOCK_NAME).exists()
    subprocess.run(command.split(), check=True, capture_output=True)
    assert Path(LOCK_NAME).read_text() == "the last one"


def test_where_nothing_remembers_a_lock_the_first_one_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["--write"]) == 0
    assert Path(LOCK_NAME).is_file()
