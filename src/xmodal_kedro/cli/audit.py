"""Reproducibility audit: runs `dvc repro` in two clean clones of one commit and compares the results byte for byte.

`python -m xmodal_kedro.cli.audit`, or `make audit`, in the repository. The exit status is 0 if nothing differs, 1 if
something does, and 2 if a run failed.
"""

from __future__ import annotations

import argparse
import filecmp
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

NAMES_ITS_RUN = "names-its-run"
"""Label in `dvc.yaml` of outputs that hold the id of the run that wrote them, so they differ between runs."""

HOLDS_FILE_TIMES = "holds-file-times"
"""Label of folders whose metadata depends on modification times of the source files: only what is in it is compared."""

Lock = Mapping[str, Any]
"""The stages of a `dvc.lock`, by name."""


@dataclass(frozen=True)
class Difference:
    """A difference between two locks."""

    stage: str
    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.stage}: {self.path}: {self.reason}"


def compare_locks(first: Lock, second: Lock, exempt: frozenset[str] = frozenset()) -> list[Difference]:
    """Differences between two runs: stages, outputs, parameters, and inputs that no stage makes.

    Args:
        exempt: outputs that may differ.
    """
    differences: list[Difference] = []
    made = {out["path"] for lock in (first, second) for stage in lock.values() for out in stage.get("outs", [])}
    for name in dict(first) | dict(second):
        if name not in first or name not in second:
            differences.append(Difference(name, "the whole stage", f"ran in the {_where(name in first)} clone only"))
            continue
        one, other = first[name], second[name]
        inputs = list(_unequal(_hashes(one, "deps"), _hashes(other, "deps")))
        cause = "" if inputs else " although all its inputs are the same"
        differences += [Difference(name, path, reason) for path, reason in inputs if path not in made]
        if one.get("params") != other.get("params"):
            differences.append(Difference(name, "parameters", "not the same in both"))
        outputs = _unequal(_hashes(one, "outs"), _hashes(other, "outs"))
        differences += [Difference(name, path, reason + cause) for path, reason in outputs if path not in exempt]
    return differences


def _hashes(stage: Mapping[str, Any], kind: str) -> dict[str, str]:
    return {item["path"]: item.get("md5", "") for item in stage.get(kind, [])}


def _unequal(first: Mapping[str, str], second: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for path in dict(first) | dict(second):
        if path not in first or path not in second:
            yield path, f"only in the {_where(path in first)} clone"
        elif first[path] != second[path]:
            yield path, f"{first[path]} and {second[path]}"


def _where(in_first: bool) -> str:
    return "first" if in_first else "second"


def unequal_files(first: Path, second: Path) -> list[str]:
    """Names of files that are missing in one folder or differ in their bytes."""
    names = {path.relative_to(top).as_posix() for top in (first, second) for path in top.rglob("*") if path.is_file()}
    _, mismatched, absent = filecmp.cmpfiles(first, second, sorted(names), shallow=False)
    return sorted(mismatched + absent)


def unequal_tables(first: Path, second: Path) -> list[str]:
    """Names of files that are missing in one folder or differ, Parquet files in their rows.

    Indices and notes, whose names begin with a dot or an underscore, are left out.
    """
    names = {path.relative_to(top) for top in (first, second) for path in top.rglob("*") if path.is_file()}
    shown = [name for name in names if not any(part[0] in "._" for part in name.parts)]
    return sorted(name.as_posix() for name in shown if not _same_rows(first / name, second / name))


def _same_rows(first: Path, second: Path) -> bool:
    import pyarrow.parquet as pq

    if not (first.exists() and second.exists()):
        return False
    if first.suffix != ".parquet":
        return first.read_bytes() == second.read_bytes()
    return bool(pq.read_table(first).equals(pq.read_table(second)))


class RunFailedError(Exception):
    """`dvc repro` failed."""


class Clone:
    """A clone of a repository at its commit, isolated from this machine's configuration of DVC, MLflow and CUDA.

    Args:
        repository: the repository to clone.
        folder: the new folder of the clone. Logs and DVC's own files are written beside it.
    """

    def __init__(self, repository: Path, folder: Path) -> None:
        self.folder = folder
        subprocess.run(["git", "clone", "--quiet", str(repository), str(folder)], check=True)
        aside = folder.with_name(f"{folder.name}-dvc")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("DVC_", "MLFLOW_", "KEDRO_"))}
        self._environment = kept | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "PYTHONPATH": str(folder / "src"),
            "CUDA_VISIBLE_DEVICES": "",  # the order of sums on a GPU varies
            "DVC_GLOBAL_CONFIG_DIR": str(aside / "global"),
            "DVC_SYSTEM_CONFIG_DIR": str(aside / "system"),  # may name a cache that both clones would share
            "DVC_SITE_CACHE_DIR": str(aside / "site"),
        }

    def repro(self) -> list[str]:
        """Run `dvc repro`, and print each stage that runs.

        Returns:
            The stages that ran.

        Raises:
            RunFailedError: with the end of the log; the whole log is in `<folder>.log`.
        """
        ran = []
        log_path = self.folder.with_name(f"{self.folder.name}.log")
        started = time.monotonic()
        command = [sys.executable, "-m", "dvc", "repro", "--no-run-cache"]
        with (
            log_path.open("a") as log,
            subprocess.Popen(
                command,
                cwd=self.folder,
                env=self._environment,
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            ) as process,
        ):
            assert process.stdout is not None
            for line in process.stdout:
                log.write(line)
                if line.startswith("Running stage '"):
                    ran.append(line.split("'")[1])
                    _print(f"  {time.monotonic() - started:6.0f} s  {ran[-1]}")
        if process.returncode:
            end = "".join(log_path.read_text().splitlines(keepends=True)[-20:])
            raise RunFailedError(f"dvc repro failed in {self.folder}; the end of {log_path}:\n{end}")
        return ran

    def lock(self) -> Lock:
        return yaml.safe_load((self.folder / "dvc.lock").read_text())["stages"]

    def labelled(self, label: str) -> frozenset[str]:
        """Outputs with a label in `dvc.yaml`."""
        from dvc.repo import Repo

        with Repo(self.folder) as repo:
            labelled = [out for out in repo.index.outs if label in out.annot.labels]
            return frozenset(Path(out.fs_path).relative_to(self.folder).as_posix() for out in labelled)


def audit(repository: Path, workplace: Path) -> list[str]:
    """Run a repository's commit in two clones below `workplace`, twice in each.

    Returns:
        One line for each problem.
    """
    clones = [Clone(repository, workplace / name) for name in ("first", "second")]
    problems = []
    for clone in clones:
        _print(f"dvc repro in the {clone.folder.name} clone")
        clone.repro()
        problems += [f"{name}: ran again in the {clone.folder.name} clone, unchanged" for name in clone.repro()]
    first, second = (clone.lock() for clone in clones)
    unlike, timed = (clones[0].labelled(label) for label in (NAMES_ITS_RUN, HOLDS_FILE_TIMES))
    for difference in compare_locks(first, second, unlike | timed):
        problems.append(str(difference))
        pair = [clone.folder / difference.path for clone in clones]
        if all(path.is_dir() for path in pair):
            problems += [f"  {difference.path}/{name}" for name in unequal_files(*pair)]
    for path in sorted(timed):
        problems += [
            f"{path}/{name}: other rows" for name in unequal_tables(*(clone.folder / path for clone in clones))
        ]
    outputs = sum(len(stage.get("outs", [])) for stage in first.values())
    _print(f"{outputs - len(unlike | timed)} outputs of {len(first)} stages compared by the hash of their bytes")
    for path in sorted(timed):
        _print(f"  compared by its rows, as its metadata holds times of the source files: {path}")
    for path in sorted(unlike):
        _print(f"  not compared, as it names the run that wrote it: {path}")
    return problems


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m xmodal_kedro.cli.audit", description=__doc__.partition("\n")[0])
    parser.add_argument("--keep", action="store_true", help="keep the clones even if they are the same")
    options = parser.parse_args(arguments)
    top = subprocess.run(["git", "rev-parse", "--show-toplevel"], capture_output=True, text=True, check=False)
    if top.returncode:
        _print("not in a git repository: run this in a clone of the project")
        return 2
    repository = Path(top.stdout.strip())
    if subprocess.check_output(["git", "status", "--porcelain", "--untracked-files=no"], text=True):
        _print("changes that are not committed are left out: clones hold the last commit")
    workplace = Path(tempfile.mkdtemp(prefix="audit-")).resolve()
    try:
        problems = audit(repository, workplace)
    except RunFailedError as error:
        _print(str(error))
        return 2
    if problems:
        _print("NOT REPRODUCED:", *problems, f"both clones are kept in {workplace}", sep="\n")
        return 1
    _print("REPRODUCED: the same bytes in both clones, and nothing to do in a second dvc repro")
    if options.keep:
        _print(f"both clones are kept in {workplace}")
    else:
        shutil.rmtree(workplace)
    return 0


def _print(*lines: str, sep: str = " ") -> None:
    print(*lines, sep=sep, flush=True)


if __name__ == "__main__":
    sys.exit(main())
