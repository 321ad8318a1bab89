"""An upgrade makes again what its changes of results concern, and nothing else."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.project import PROJECT, SMALL_WORLD, Project

LAST_OF_VERSION_0_1 = "6c0cd08ef"
"""Commit; the version after it stamps results with recipes."""
SHARDS = re.compile(r"(\w+): (\d+) (?:shards|files) written, (\d+) unchanged")


def run(project: Project, *arguments: str) -> str:
    """Run the sample world; returns the log."""
    done = project.run("kedro", "run", "--env", "sample", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def written(log: str) -> dict[str, tuple[int, int]]:
    """How many shards or files of each folder were written, and how many were kept."""
    return {name: (int(new), int(kept)) for name, new, kept in SHARDS.findall(log)}


def edit(project: Project, file: str, pattern: str, replacement: str) -> None:
    path = project.folder / "src" / "xmodal_kedro" / file
    text, count = re.subn(pattern, replacement, path.read_text(), count=1)
    assert count == 1, f"{file} holds no {pattern}"
    path.write_text(text)


def test_edits_that_change_no_result_make_nothing_again(made_small_run: Path, tmp_path: Path) -> None:
    project = Project.of(tmp_path / "project")
    shutil.copytree(made_small_run, project.folder)
    project.track_nothing()
    edit(
        project,
        "schemas/checking.py",
        r"(class LabelQuality\(Table\):\n(?:    \"\"\"[^\"]*\"\"\"\n)?\n)",
        r"\1    remark: Series[str] | None = pa_checks.Field(nullable=True)\n",
    )
    edit(project, "storage/files.py", r"has no file \{name!r\}", "does not hold the file {name!r}")
    edit(project, "__init__.py", r'__version__ = "[^"]*"', '__version__ = "9.9.9"')
    log = run(project)
    made = written(log)
    assert {"videos", "clips", "labels", "embeddings"} <= made.keys()
    assert {name: new for name, (new, _) in made.items() if new} == {}
    assert "Training" not in log, log


def test_a_raised_recipe_version_makes_its_own_shards_again_and_what_follows(
    made_small_run: Path, tmp_path: Path
) -> None:
    project = Project.of(tmp_path / "project")
    shutil.copytree(made_small_run, project.folder)
    project.track_nothing()
    edit(project, "labels/merge.py", r'@recipe\("merge_labels", version=(\d+)', '@recipe("merge_labels", version=9')
    log = run(project)
    made = written(log)
    # `embeddings` are of the network that was trained on other labels, for all that the run can know.
    again = {name for name, (new, _) in made.items() if new}
    assert {"labels"} <= again <= {"labels", "embeddings"}
    assert made["labels"][1] == 0
    assert re.search(r"labels: \d+ stored shards? (is|are) made again: .*merge_labels 1\b.*merge_labels 9", log)
    assert "training starts anew" in log and "the content of clips or labels has changed" in log


def test_of_a_world_that_version_0_1_stored_only_what_other_rules_concern_is_made_again(tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    archive = subprocess.run(["git", "archive", LAST_OF_VERSION_0_1], cwd=PROJECT, capture_output=True, check=False)
    if archive.returncode:
        pytest.skip("the repository's history is not here, so version 0.1 cannot be run")
    subprocess.run(["tar", "-x", "-C", str(old)], input=archive.stdout, check=True)
    before = Project.of(old)
    for key, fields in SMALL_WORLD.items():
        before.set_parameters(key, fields)
    assert "Training" in run(before)
    after = Project(tmp_path / "new", SMALL_WORLD)
    shutil.copytree(old / "data", after.folder / "data")  # with the times of files, by which sources are known
    log = run(after)
    made = written(log)
    assert {"videos", "probes", "clips", "visual_labels", "labels", "embeddings"} <= made.keys()
    # Sources are probed and clipped by other rules since, which concerns what is made of the clips.
    assert made["videos"][0] == 0
    for recipe in ("probe", "clip"):
        assert re.search(rf"stored shards are made again: .*{recipe} 1\b.*{recipe} [^1]", log), log
