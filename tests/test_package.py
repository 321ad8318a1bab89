"""The wheel holds all that a run needs, and runs without the checkout."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.command_server import with_stand_ins
from tests.project import PROJECT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as `kedro package` builds it, but with the setuptools of this environment."""
    folder = tmp_path_factory.mktemp("package")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(PROJECT / name, folder)
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(PROJECT / "src", folder / "src", ignore=ignored)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", "dist", "."]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return next((folder / "dist").glob("*.whl"))


def test_every_file_of_the_package_is_in_the_wheel(wheel: Path) -> None:
    package = PROJECT / "src" / "xmodal_kedro"
    files = {path.relative_to(package.parent).as_posix() for path in package.rglob("*") if path.is_file()}
    wanted = {name for name in files if "__pycache__" not in name}
    assert any(name.endswith(".csv") for name in wanted)
    with zipfile.ZipFile(wheel) as packed:
        assert wanted <= set(packed.namelist())


def run_installed(wheel: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(folder / "site")
    environment = with_stand_ins(os.environ | {"PYTHONPATH": str(folder / "site")})
    command = ["python", "-m", "xmodal_kedro", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_the_installed_package_runs_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    done = run_installed(wheel, tmp_path, "--conf-source", str(PROJECT / "conf"), "--env", "smaple")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("Error: there is no env 'smaple'")


def test_it_logs_as_the_configuration_of_the_archive_says(wheel: Path, tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "notes.mp4").write_text("no video at all")
    with tarfile.open(tmp_path / "conf.tar.gz", "w:gz") as packed:
        packed.add(PROJECT / "conf", "conf", filter=lambda member: None if "/local/" in member.name else member)
    conf = [
        "--conf-source=conf.tar.gz",
        "--env",
        "onnx",
        "--pipelines=ingest",
        "--params",
        "source=videos,data_root=out",
    ]
    done = run_installed(wheel, tmp_path, *conf)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if "Completed" in line]
    assert lines
    assert [line for line in lines if not re.match(r"\d\d:\d\d:\d\d INFO    Completed", line)] == []
