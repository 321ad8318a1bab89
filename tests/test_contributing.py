"""The pages of CONTRIBUTING.md on adding something, followed to the letter in a copy of the project."""

from __future__ import annotations

import csv
import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file

from tests.evaluation.sounds import write_tone
from tests.project import PROJECT, Project
from tests.tones import TONES_HZ

PAGE = (PROJECT / "CONTRIBUTING.md").read_text()
STEP = re.compile(r"(?P<text>[^\n]+(?:\n[^\n`]+)*)\n\n```\w+\n(?P<code>.*?)```", re.S)


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def follow(project: Project, title: str) -> None:
    """Do what a page says: write each file, insert each line, and run its command."""
    text = section(title)
    steps = list(STEP.finditer(text))
    assert steps, f"{title} has no steps"
    for step in steps:
        said, code = step["text"].splitlines()[0], step["code"]
        names = re.findall(r"`([^`]+)`", step["text"])
        file = next(name for name in names if "/" in name or name == "dvc.yaml")
        path = project.folder / file
        if "in `" in step["text"] and said.startswith("A line"):
            table = names[names.index(file) + 1]
            before, opening, after = re.split(rf"(^{table} = [({{]\n?)", path.read_text(), maxsplit=1, flags=re.M)
            path.write_text(before + opening.rstrip("\n") + "\n" + code + after)
        elif "end of the `stages`" in step["text"]:
            path.write_text(path.read_text().replace("\nplots:\n", f"{code}\nplots:\n"))
        elif said.startswith("Lines at the end"):
            path.write_text(path.read_text() + code)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(code)
    (command,) = re.findall(r"^    (kedro run .*)$", text, re.M)
    done = project.run(*shlex.split(command))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def project(made_small_run: Path, tmp_path: Path) -> Project:
    copy = Project.of(tmp_path / "project")
    shutil.copytree(made_small_run, copy.folder)
    return copy.track_nothing()


def data(project: Project) -> Path:
    return project.folder / "data" / "sample"


def test_a_backbone_is_added(project: Project) -> None:
    follow(project, "Add a backbone")
    assert "classify.weight" in load_file(data(project) / "06_models" / "tiny" / "weights.safetensors")


def test_a_teacher_is_added(project: Project) -> None:
    follow(project, "Add a teacher")
    import pyarrow.parquet as pq

    shards = sorted((data(project) / "04_feature" / "audio_labels").glob("*.parquet"))
    labels = {label for shard in shards for label in pq.read_table(shard)["label"].to_pylist()}
    first = (data(project) / "01_raw/teachers/audio/labels.txt").read_text().splitlines()[0]
    assert labels == {first}


def test_a_benchmark_is_added(project: Project) -> None:
    folder = project.folder / "tones"
    folder.mkdir()
    with (folder / "tones.csv").open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["file", "fold"])
        for number in range(24):
            name = list(TONES_HZ)[number % 2]
            write_tone(folder / f"{name}-{number}.wav", TONES_HZ[name] + number, 1.2)
            rows.writerow([f"{name}-{number}.wav", 1 + number // 2 % 2])
    follow(project, "Add a benchmark")
    (report,) = data(project).glob("08_reporting/*/two_tones/transfer_metrics.json")
    assert "two_tones.linear_probe.pretrained.accuracy" in json.loads(report.read_text())


def test_a_stage_is_added(project: Project) -> None:
    follow(project, "Add a stage")
    assert json.loads((data(project) / "08_reporting" / "durations.json").read_text())["total_s"] > 0
    listed = project.run("dvc", "stage", "list")
    assert "durations" in listed.stdout or "not inside of a DVC repository" in listed.stderr
