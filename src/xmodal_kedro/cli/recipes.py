"""Write `recipes.lock`: `make recipes` after a version was raised, `make recipes ACCEPT=1` where no result changes.

`python -m xmodal_kedro.cli.recipes` in the repository. The exit status is 0 if the lock fits, and 1 if code changed
without a new version or a proof. The proof runs the sample world twice, with the code of the last commit that wrote the
lock and with the current code, and compares all results of recipes, row for row and byte for byte.
"""

from __future__ import annotations

import argparse
import filecmp
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from xmodal_kedro.cli.recipe_lock import LOCK_NAME, Lock, current_lock, moved_recipes, read_lock, write_lock
from xmodal_kedro.datasets.sharded import RECIPE_KEY

PROOF_WORLD: dict[str, dict[str, Any]] = {
    "sample": {
        "videos": 24,
        "max_s": 12.0,
        "teacher_examples_per_class": 4,
        "teacher_steps": 40,
        "benchmark_clips_per_class": 5,  # one for each fold
    },
    "ingest": {"shard_sources": 8},
    "clip": {"shard_mb": 2},
    "merge_labels": {"min_clips": 2, "visual": {"threshold": 0.05}, "audio": {"threshold": 0.05}},
    "train": {"epochs": 2, "vggish_plus": {"width": 8}},
    "transfer_eval": {"protocols": ["linear_probe", "fine_tune"], "fine_tune": {"epochs": 1}},
    "compare": {"rules": ["visual_only", "union"], "seeds": 1},
}
"""Parameters of a sample world that runs in some three minutes on two free cores and covers nearly every recipe."""
PROOF_RUNS = ((), ("--pipelines=compare,embed",))
NOT_IN_THE_SAMPLE_WORLD = frozenset({"teacher_embeddings"})
"""Recipes without results there, as its teachers have no embeddings."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m xmodal_kedro.cli.recipes", description=__doc__.partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="write the lock if every change has a new version")
    parser.add_argument("--accept", action="store_true", help="write the lock after a proof that no result changes")
    options = parser.parse_args(arguments)
    path = Path(LOCK_NAME)
    try:
        _refuse_deleted(path)
        stored = read_lock(path)
    except ValueError as error:
        print(error)
        return 1
    current = current_lock()
    moved = moved_recipes(stored, current)
    if moved and options.accept:
        different = prove(Path.cwd(), raised_recipes(stored, current))
        if different:
            print("Results differ, so these recipes need new versions:", *different, sep="\n  ")
            return 1
        unproven = sorted(moved.keys() & NOT_IN_THE_SAMPLE_WORLD)
        if unproven:
            print(f"The sample world has no results of {', '.join(unproven)}: check by hand that no result changes.")
        print(f"No result of the sample world changes. Accepted: {', '.join(moved)}")
    elif moved:
        print(describe_moved(moved))
        return 1
    if stored != current and not (options.write or options.accept):
        print(f"{LOCK_NAME} does not fit the code: run `make recipes` and commit it")
        return 1
    if stored != current:
        write_lock(path, current)
        print(f"Wrote {LOCK_NAME}: {', '.join(changed_versions(stored, current)) or 'the same versions'}")
    return 0


def _refuse_deleted(path: Path) -> None:
    """Refuse to write a first lock where Git knows one: that would accept every change without a proof.

    Raises:
        ValueError: with the command that brings the lock back.
    """
    if path.is_file():
        return
    try:
        last = _git(Path.cwd(), "log", "-1", "--diff-filter=ACMRT", "--format=%h", "--", path.name)
    except (OSError, subprocess.CalledProcessError):
        return  # no repository, which remembers no lock
    if last:
        raise ValueError(f"{path} is gone, and Git knows it: bring it back with `git checkout {last} -- {path}`")


def describe_moved(moved: Mapping[str, list[str]]) -> str:
    """Instructions for changed code, naming recipes and modules."""
    return "\n".join(
        [
            f"Code behind recipes changed, but {LOCK_NAME} did not:",
            *(f"  {name}: {', '.join(modules)}" for name, modules in moved.items()),
            "If results stay the same byte for byte, run `make recipes ACCEPT=1`: it proves that on the sample world",
            "and writes the lock. If they change, raise the version in @recipe(NAME, version=...) and run",
            "`make recipes`: users' stored results are then recomputed, so CHANGELOG.md has to say so.",
        ]
    )


def changed_versions(stored: Lock, current: Lock) -> Iterator[str]:
    """New, raised and removed recipes, each in a few words."""
    for name in sorted(stored.recipes.keys() | current.recipes.keys()):
        before, now = stored.recipes.get(name), current.recipes.get(name)
        if before is None or now is None:
            yield f"{name} {'added' if before is None else 'removed'}"
        elif before.version != now.version:
            yield f"{name} {before.version} to {now.version}"


def raised_recipes(stored: Lock, current: Lock) -> set[str]:
    """Names of the recipes whose version differs from the lock's."""
    names = stored.recipes.keys() & current.recipes.keys()
    return {name for name in names if stored.recipes[name].version != current.recipes[name].version}


def prove(repository: Path, raised: Collection[str] = ()) -> list[str]:
    """Run the sample world with the code that the lock was written for, and with the current code.

    Returns:
        Names of files that differ; empty if none do.

    Raises:
        subprocess.CalledProcessError: if a run fails.
    """
    with tempfile.TemporaryDirectory(prefix="recipes-") as folder:
        before, now = Path(folder, "before"), Path(folder, "now")
        base = _git(repository, "log", "-1", "--format=%H", "--", LOCK_NAME) or _git(repository, "rev-parse", "HEAD")
        subprocess.run(["git", "clone", "--quiet", str(repository), str(before)], check=True)
        subprocess.run(["git", "checkout", "--quiet", base], cwd=before, check=True)
        _copy_working_tree(repository, now)
        print(f"Running the sample world of {base[:12]} and of the current code: some six minutes on two free cores")
        for project in (before, now):
            run_world(project)
        return different_results(before / "data" / "sample", now / "data" / "sample", raised)


def run_world(project: Path) -> None:
    """Run the sample world of the proof in a copy of the project.

    Raises:
        subprocess.CalledProcessError: if a run fails.
    """
    for key, fields in PROOF_WORLD.items():
        path = project / "conf" / "sample" / "parameters" / f"{key}.yml"
        stored = yaml.safe_load(path.read_text()) if path.exists() else {}
        path.write_text(yaml.safe_dump({key: stored.get(key, {}) | fields}))
    environment = os.environ | {"PYTHONPATH": str(project / "src"), "CUDA_VISIBLE_DEVICES": ""}
    kedro = str(Path(sys.executable).with_name("kedro"))
    for arguments in PROOF_RUNS:
        with (project / "run.log").open("a") as log:
            subprocess.run(
                [kedro, "run", "--env", "sample", *arguments], cwd=project, env=environment, stdout=log, check=True
            )


def different_results(first: Path, second: Path, raised: Collection[str] = ()) -> list[str]:
    """Names of recipe results that differ between two folders, by rows for shards and by bytes for other files.

    Args:
        first, second: two `data_root` of the same world.
        raised: recipes with a new version, whose results may differ.
    """
    import pyarrow.parquet as pq

    def recipe_of_shard(path: Path) -> str:
        footer = pq.read_metadata(path).metadata or {}
        return str((json.loads(footer.get(RECIPE_KEY.encode(), b"null")) or {"recipe": ""})["recipe"])

    def results(folder: Path) -> set[Path]:
        shards = {path for path in folder.rglob("*.parquet") if (name := recipe_of_shard(path)) and name not in raised}
        files = {*folder.glob("06_models/*/*.safetensors"), *folder.glob("01_raw/**/*")}
        return {path.relative_to(folder) for path in shards | files if path.is_file() and not path.name.startswith(".")}

    def same(name: Path) -> bool:
        one, other = first / name, second / name
        if name.suffix == ".parquet":
            return bool(pq.read_table(one).equals(pq.read_table(other)))
        return filecmp.cmp(one, other, shallow=False)

    both = results(first) & results(second)
    return sorted(str(name) for name in (results(first) ^ results(second)) | {name for name in both if not same(name)})


def _copy_working_tree(repository: Path, folder: Path) -> None:
    for name in _git(repository, "ls-files", "--cached", "--others", "--exclude-standard").splitlines():
        source, target = repository / name, folder / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)


def _git(repository: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=repository, capture_output=True, text=True, check=True
    ).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
