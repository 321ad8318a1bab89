from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from xmodal_kedro.cli.recipe_lock import LOCK_NAME, Lock, LockedRecipe, current_lock, write_lock
from xmodal_kedro.cli.release import problems

CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n## [1.2.0] - 2026-01-31\n\n## [1.1.0] - 2025-12-01\n"


def git(repository: Path, *arguments: str) -> None:
    who = ("-c", "user.name=someone", "-c", "user.email=someone@example.org")
    subprocess.run(["git", *who, *arguments], cwd=repository, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    write_lock(tmp_path / LOCK_NAME, current_lock())
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "Begin")
    return tmp_path


def test_a_release_whose_parts_agree_has_no_problems(repository: Path) -> None:
    assert list(problems(repository, "1.2.0")) == []


def test_what_does_not_agree_is_named(repository: Path) -> None:
    assert ["1.2.0" in problem and "1.3.0" in problem for problem in problems(repository, "1.3.0")] == [True]
    git(repository, "tag", "v1.2.0")
    write_lock(repository / LOCK_NAME, Lock({"clip": LockedRecipe(1, "ab")}, {}))
    found = "\n".join(problems(repository, "1.2.0"))
    assert "not committed" in found and "v1.2.0 exists" in found and LOCK_NAME in found


def test_a_version_without_a_date_is_not_released(repository: Path) -> None:
    (repository / "CHANGELOG.md").write_text(CHANGELOG.replace(" - 2026-01-31", ""))
    git(repository, "commit", "--quiet", "--all", "--message", "Undate")
    assert ["no date" in problem for problem in problems(repository, "1.2.0")] == [True]
