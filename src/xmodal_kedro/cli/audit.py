"""Does the same commit give the same bytes? Runs `dvc repro` in two clean clones of it and compares what they made.

`python -m xmodal_kedro.cli.audit`, or `make audit`, in the repository. It ends with 0 where nothing differs, with 1
where something does, and with 2 where a run failed.
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
"""Label in `dvc.yaml` of outputs that hold the id of the run that wrote them: no two runs make the same."""

TELLS_FILE_TIMES = "tells-file-times"
"""Label of shards that remember when the recordings they were made of were written: their rows are compared."""

Lock = Mapping[str, Any]
"""The stages of a `dvc.lock`, by name."""


@dataclass(frozen=True)
class Difference:
    """Something that is not the same in two locks."""

    stage: str
    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.stage}: {self.path}: {self.reason}"


def compare_locks(first: Lock, second: Lock, exempt: frozenset[str] = frozenset()) -> list[Difference]:
    """What differs between two runs: stages, outputs, and the inputs and parameters that no stage makes.

    Args:
        exempt: outputs that may differ.
    """
    found: list[Difference] = []
    made = {out["path"] for lock in (first, second) for stage in lock.values() for out in stage.get("outs", [])}
    for name in dict(first) | dict(second):
        if name not in first or name not in second:
            found.append(Difference(name, "the whole stage", f"ran in the {_where(name in first)} clone alone"))
            continue
        one, other = first[name], second[name]
        inputs = list(_unequal(_hashes(one, "deps"), _hashes(other, "deps")))
        cause = "" if inputs else " though all that it was made from is the same"
        found += [Difference(name, path, reason) for path, reason in inputs if path not in made]
        if one.get("params") != other.get("params"):
            found.append(Difference(name, "parameters", "not the same in both"))
        outputs = _unequal(_hashes(one, "outs"), _hashes(other, "outs"))
        found += [Difference(name, path, reason + cause) for path, reason in outputs if path not in exempt]
    return found


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
    """Names of the files that two folders do not both hold with the same bytes."""
    names = {path.relative_to(top).as_posix() for top in (first, second) for path in top.rglob("*") if path.is_file()}
    _, mismatched, absent = filecmp.cmpfiles(first, second, sorted(names), shallow=False)
    return sorted(mismatched + absent)


def unequal_tables(first: Path, second: Path) -> list[str]:
    """Names of the Parquet files that two folders do not both hold with the same rows."""
    names = {path.relative_to(top) for top in (first, second) for path in top.rglob("*.parquet")}
    return sorted(name.as_posix() for name in names if not _same_rows(first / name, second / name))


def _same_rows(first: Path, second: Path) -> bool:
    import pyarrow.parquet as pq

    return first.exists() and second.exists() and bool(pq.read_table(first).equals(pq.read_table(second)))


class RunFailedError(Exception):
    """`dvc repro` did not come to its end."""


class Clone:
    """A clone of a repository at its commit, with nothing of this machine's configuration of DVC, MLflow or CUDA.

    Args:
        repository: whose commit is checked out.
        folder: where; made here. Logs and DVC's own files go beside it.
    """

    def __init__(self, repository: Path, folder: Path) -> None:
        self.folder = folder
        subprocess.run(["git", "clone", "--quiet", str(repository), str(folder)], check=True)
        aside = folder.with_name(f"{folder.name}-dvc")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("DVC_", "MLFLOW_", "KEDRO_"))}
        self._environment = kept | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "PYTHONPATH": str(folder / "src"),
            "CUDA_VISIBLE_DEVICES": "",  # a GPU adds in an order of its own
            "DVC_GLOBAL_CONFIG_DIR": str(aside / "global"),
            "DVC_SYSTEM_CONFIG_DIR": str(aside / "system"),  # may name a cache that both clones would share
            "DVC_SITE_CACHE_DIR": str(aside / "site"),
        }

    def repro(self) -> list[str]:
        """Run `dvc repro`, telling of each stage that runs.

        Returns:
            The stages that ran.

        Raises:
            RunFailedError: with the end of the log, which is whole in `<folder>.log`.
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
                    _tell(f"  {time.monotonic() - started:6.0f} s  {ran[-1]}")
        if process.returncode:
            end = "".join(log_path.read_text().splitlines(keepends=True)[-20:])
            raise RunFailedError(f"dvc repro failed in {self.folder}; the end of {log_path}:\n{end}")
        return ran

    def lock(self) -> Lock:
        return yaml.safe_load((self.folder / "dvc.lock").read_text())["stages"]

    def labelled(self, label: str) -> frozenset[str]:
        """Outputs that bear a label in `dvc.yaml`."""
        from dvc.repo import Repo

        with Repo(self.folder) as repo:
            labelled = [out for out in repo.index.outs if label in out.annot.labels]
            return frozenset(Path(out.fs_path).relative_to(self.folder).as_posix() for out in labelled)


def audit(repository: Path, workplace: Path) -> list[str]:
    """Run a repository's commit in two clones below `workplace`, twice in each.

    Returns:
        One line for each thing that is wrong.
    """
    clones = [Clone(repository, workplace / name) for name in ("first", "second")]
    wrong = []
    for clone in clones:
        _tell(f"dvc repro in the {clone.folder.name} clone")
        clone.repro()
        wrong += [f"{name}: ran again in the {clone.folder.name} clone, unchanged" for name in clone.repro()]
    first, second = (clone.lock() for clone in clones)
    unlike, timed = (clones[0].labelled(label) for label in (NAMES_ITS_RUN, TELLS_FILE_TIMES))
    for difference in compare_locks(first, second, unlike | timed):
        wrong.append(str(difference))
        pair = [clone.folder / difference.path for clone in clones]
        if all(path.is_dir() for path in pair):
            wrong += [f"  {difference.path}/{name}" for name in unequal_files(*pair)]
    for path in sorted(timed):
        wrong += [f"{path}/{name}: other rows" for name in unequal_tables(*(clone.folder / path for clone in clones))]
    outputs = sum(len(stage.get("outs", [])) for stage in first.values())
    _tell(f"{outputs - len(unlike | timed)} outputs of {len(first)} stages compared by the hash of their bytes")
    for path in sorted(timed):
        _tell(f"  compared by its rows, as it tells when the recordings' files were written: {path}")
    for path in sorted(unlike):
        _tell(f"  not compared, as it names the run that wrote it: {path}")
    return wrong


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m xmodal_kedro.cli.audit", description=__doc__.partition("\n")[0])
    parser.add_argument("--keep", action="store_true", help="keep the clones also where they are the same")
    options = parser.parse_args(arguments)
    top = subprocess.run(["git", "rev-parse", "--show-toplevel"], capture_output=True, text=True, check=False)
    if top.returncode:
        _tell("not in a git repository: run this in a clone of the project")
        return 2
    repository = Path(top.stdout.strip())
    if subprocess.check_output(["git", "status", "--porcelain", "--untracked-files=no"], text=True):
        _tell("changes that are not committed are left out: clones hold the last commit")
    workplace = Path(tempfile.mkdtemp(prefix="audit-")).resolve()
    try:
        wrong = audit(repository, workplace)
    except RunFailedError as error:
        _tell(str(error))
        return 2
    if wrong:
        _tell("NOT REPRODUCED:", *wrong, f"both clones are kept in {workplace}", sep="\n")
        return 1
    _tell("REPRODUCED: the same bytes in both clones, and nothing to do in a second dvc repro")
    if options.keep:
        _tell(f"both clones are kept in {workplace}")
    else:
        shutil.rmtree(workplace)
    return 0


def _tell(*lines: str, sep: str = " ") -> None:
    print(*lines, sep=sep, flush=True)


if __name__ == "__main__":
    sys.exit(main())
