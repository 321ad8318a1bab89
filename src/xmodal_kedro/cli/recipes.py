"""Write `recipes.lock`: `make recipes` after a version was raised, `make recipes ACCEPT=1` where no result changes.

`python -m xmodal_kedro.cli.recipes` in the repository. The exit status is 0 if the lock fits, and 1 if code changed
without a new version or a proof: see `recipe_proof`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from xmodal_kedro.cli.recipe_lock import LOCK_NAME, Lock, current_lock, moved_recipes, read_lock, write_lock
from xmodal_kedro.cli.recipe_proof import git, prove

NOT_IN_THE_SAMPLE_WORLD = frozenset({"pooled_clip_embeddings", "teacher_embeddings", "teacher_views"})
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
        last = git(Path.cwd(), "log", "-1", "--diff-filter=ACMRT", "--format=%h", "--", path.name)
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


if __name__ == "__main__":
    sys.exit(main())
