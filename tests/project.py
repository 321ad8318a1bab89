"""A copy of the project in which a test can run Kedro and DVC as a user does."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.command_server import with_stand_ins

PROJECT = Path(__file__).resolve().parents[1]

SMALL_WORLD: dict[str, dict[str, Any]] = {
    "sample": {
        "videos": 12,
        "max_s": 12.0,
        "teacher_examples_per_class": 4,
        "teacher_steps": 40,
        "benchmark_clips_per_class": 5,
    },
    "ingest": {"shard_sources": 4},
    "clip": {"shard_mb": 2},
    # Teachers trained for so few steps have low scores.
    "merge_labels": {"min_clips": 2, "visual": {"threshold": 0.05}, "audio": {"threshold": 0.05}},
    "train": {"epochs": 1, "vggish_plus": {"width": 8}},
    "compare": {"rules": ["visual_only", "union"], "seeds": 1},
}
"""Parameters that make the sample world small enough for a test."""


class Project:
    """Configuration and source of the project, copied; data and tracking stay in the copy.

    Args:
        folder: where; made here.
        parameters: fields of parameters to set in the env `sample`.
    """

    def __init__(self, folder: Path, parameters: dict[str, dict[str, Any]] | None = None) -> None:
        self.folder = folder
        folder.mkdir()
        shutil.copytree(PROJECT / "conf", folder / "conf", ignore=shutil.ignore_patterns("local"))
        # With the bytecode, which fits the copies as they keep their times: no command compiles them again.
        # While Python writes it, it has a temporary name, `*.pyc.*`.
        shutil.copytree(PROJECT / "src", folder / "src", ignore=shutil.ignore_patterns("*.egg-info", "*.pyc.*"))
        (folder / "conf" / "local").mkdir()
        for name in ("pyproject.toml", ".telemetry", "dvc.yaml", ".dvcignore"):
            shutil.copy(PROJECT / name, folder / name)
        for key, fields in (parameters or {}).items():
            self.set_parameters(key, fields)

    @classmethod
    def of(cls, folder: Path) -> Project:
        """The project that exists in a folder."""
        project = cls.__new__(cls)
        project.folder = folder
        return project

    def set_parameters(self, key: str, fields: dict[str, Any]) -> None:
        """Set fields of a parameter in the env `sample`."""
        path = self.folder / "conf" / "sample" / "parameters" / f"{key}.yml"
        stored = yaml.safe_load(path.read_text()) if path.exists() else {}
        stored[key] = stored.get(key, {}) | fields
        path.write_text(yaml.safe_dump(stored))

    def track_nothing(self) -> Project:
        """Turn tracking off, and return this project: a command then saves the seconds in which MLflow is loaded."""
        options = {"tracking": {"disable_tracking": {"pipelines": ["*"]}}}
        (self.folder / "conf" / "local" / "mlflow.yml").write_text(yaml.safe_dump(options))
        return self

    def popen(self, *command: str) -> subprocess.Popen[str]:
        """Start a command of the environment's `bin`, in its own process group."""
        tools = Path(sys.executable).parent
        environment = os.environ | {"PATH": f"{tools}:{os.environ['PATH']}", "COLUMNS": "240", "NO_COLOR": "1"}
        # A test that set up Kedro in its own process has left another folder there.
        environment["PYTHONPATH"] = str(self.folder / "src")
        environment = with_stand_ins(environment)
        return subprocess.Popen(
            [shutil.which(command[0], path=environment["PATH"]) or command[0], *command[1:]],
            cwd=self.folder,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def run(self, *command: str, limit_s: float = 500) -> subprocess.CompletedProcess[str]:
        """Run a command until it ends, and fail with what it has printed if it does not."""
        with self.popen(*command) as process:
            try:
                out, err = process.communicate(timeout=limit_s)
            except subprocess.TimeoutExpired as slow:
                printed = _interrupted(process) or f"{slow.output!r}\n{slow.stderr!r}"
                pytest.fail(f"{' '.join(command)} ran for more than {limit_s:g} s:\n{printed}")
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def _interrupted(process: subprocess.Popen[str]) -> str:
    """What a command prints when it is interrupted, as the traceback says where it waited; empty if it goes on."""
    process.send_signal(signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        return "\n".join(process.communicate(timeout=20))
    # Its pipes may be open in processes of its own, so they are not read to their end.
    process.kill()
    return ""
