"""A copy of the project in which a test can run Kedro as a user does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import PROJECT

SMALL_WORLD = {
    "sample.videos": 12,
    "sample.max_s": 12.0,
    "sample.teacher_examples_per_class": 8,
    "sample.benchmark_clips_per_class": 5,
    "clip.shards": 4,
    "ingest.shards": 4,
    "merge_labels.min_clips": 2,
    "train.epochs": 1,
}
"""Parameters that make the sample world small enough for a test."""


class Project:
    """Configuration and source of the project, copied; data and tracking stay in the copy."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        shutil.copytree(PROJECT / "conf", folder / "conf", ignore=shutil.ignore_patterns("local"))
        (folder / "conf" / "local").mkdir()
        for name in ("pyproject.toml", ".telemetry"):
            shutil.copy(PROJECT / name, folder / name)
        shutil.copytree(PROJECT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))

    def popen(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `kedro` with `arguments`, in a process group of its own."""
        environment = os.environ | {"COLUMNS": "240", "NO_COLOR": "1"}
        command = [sys.executable, "-m", "kedro", *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command, cwd=self.folder, env=environment, text=True, stdout=pipe, stderr=pipe, start_new_session=True
        )

    def kedro(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `kedro` with `arguments` to its end."""
        with self.popen(*arguments) as process:
            out, err = process.communicate(timeout=400)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def run(self, env: str, params: dict[str, object], *arguments: str) -> subprocess.CompletedProcess[str]:
        """`kedro run --env ENV --params ...`"""
        return self.kedro("run", "--env", env, *run_params(params), *arguments)


def run_params(params: dict[str, object]) -> list[str]:
    """`--params` as Kedro's command line takes them."""
    return ["--params", ",".join(f"{name}={value}" for name, value in params.items())] if params else []
