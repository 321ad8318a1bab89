"""Proof that code changes no result of a recipe, on the sample world.

The sample world is run with the code of the last commit that wrote the lock, and with the current code. All results of
recipes are compared, row for row and byte for byte.

A recipe with a new version gives other results, and what follows from them differs too. That is compared on equal
inputs: the earlier code makes it from the results of the current code.
"""

from __future__ import annotations

import filecmp
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from xmodal_kedro.cli.recipe_lock import LOCK_NAME
from xmodal_kedro.datasets.stored_shard import RECIPE_KEY

if TYPE_CHECKING:
    import pyarrow as pa

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
    "transfer_eval": {
        "protocols": ["linear_probe", "fine_tune"],
        "regularisation": [0.001, 0.01, 0.1, 1.0],  # another default is no other code
        "fine_tune": {"epochs": 1},
    },
    "compare": {"rules": ["visual_only", "union"], "seeds": 1},
}
"""Parameters of a sample world that runs in some four minutes on two free cores and covers nearly every recipe."""
PROOF_RUNS = ((), ("--pipelines=compare,embed",))
DATA_ROOT = Path("data", "sample")
EARLIER_ON_CURRENT = Path("data", "earlier_on_current")
GRAPH = """
import json
from pathlib import Path
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
bootstrap_project(Path.cwd())
from kedro.framework.project import pipelines
with KedroSession.create(env="sample") as session:
    catalog = session.load_context().config_loader["catalog"]
nodes = (pipelines["__default__"] + pipelines["compare"] + pipelines["embed"]).nodes
entries = {name: entry for name, entry in catalog.items() if isinstance(entry, dict)}
places = {name: entry.get("path") or entry.get("filepath") for name, entry in entries.items()}
print(json.dumps({"nodes": [[node.name, node.inputs, node.outputs] for node in nodes], "places": places}))
"""
"""Prints the nodes of all proof runs, in order, and where datasets are stored."""


@dataclass(frozen=True)
class Step:
    """A node: its name, and the names of its datasets."""

    name: str
    inputs: frozenset[str]
    outputs: frozenset[str]


def prove(repository: Path, raised: Collection[str] = ()) -> list[str]:
    """Run the sample world with the code that the lock was written for, and with the current code.

    Args:
        raised: recipes with a new version, whose results may differ.

    Returns:
        Names of files that differ; empty if none do.

    Raises:
        subprocess.CalledProcessError: if a run fails.
    """
    with tempfile.TemporaryDirectory(prefix="recipes-") as folder:
        before, now = Path(folder, "before"), Path(folder, "now")
        base = commit_of_lock(repository)
        subprocess.run(["git", "clone", "--quiet", str(repository), str(before)], check=True)
        subprocess.run(["git", "checkout", "--quiet", base], cwd=before, check=True)
        _copy_working_tree(repository, now)
        print(f"Running the sample world of {base[:12]} and of the current code: some ten minutes on two free cores")
        for project in (before, now):
            run_world(project)
        derived = run_on_results(before, now / DATA_ROOT, raised) if raised else []
        differ = different_results(before / DATA_ROOT, now / DATA_ROOT, raised)
        # What is derived from results of raised recipes is compared with what the earlier code makes of the same ones.
        differ_derived = different_results(before / EARLIER_ON_CURRENT, now / DATA_ROOT, raised)
        return sorted(
            {file for file in differ if not _is_in_any(file, derived)}
            | {file for file in differ_derived if _is_in_any(file, derived)}
        )


def run_world(project: Path) -> None:
    """Run the sample world of the proof in a copy of the project.

    Raises:
        subprocess.CalledProcessError: if a run fails.
    """
    for key, fields in PROOF_WORLD.items():
        path = project / "conf" / "sample" / "parameters" / f"{key}.yml"
        stored = yaml.safe_load(path.read_text()) if path.exists() else {}
        path.write_text(yaml.safe_dump({key: stored.get(key, {}) | fields}))
    for arguments in PROOF_RUNS:
        _kedro_run(project, *arguments)


def run_on_results(project: Path, data: Path, raised: Collection[str]) -> list[str]:
    """Let a project make again what follows from the results of some recipes, from a copy of a data root.

    Args:
        project: its world has been run.
        data: the data root of a run with other code. The copy is `EARLIER_ON_CURRENT` in the project.
        raised: the recipes.

    Returns:
        Folders and files that were made again, relative to the data root.

    Raises:
        subprocess.CalledProcessError: if the run fails.
    """
    output = subprocess.run(
        [sys.executable, "-c", GRAPH],
        cwd=project,
        env=_environment(project),
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    graph = json.loads(output.splitlines()[-1])
    steps = [Step(name, frozenset(inputs), frozenset(outputs)) for name, inputs, outputs in graph["nodes"]]
    places = {
        name: Path(place).relative_to(DATA_ROOT).as_posix()
        for name, place in graph["places"].items()
        if place and Path(place).is_relative_to(DATA_ROOT)
    }
    recipes = {name: recipes_in(data / place) for name, place in places.items()}
    changed = {name for name, found in recipes.items() if found & set(raised)}
    results = {name for name, found in recipes.items() if found - set(raised)} | {
        name for name, place in places.items() if place.endswith(".safetensors")
    }
    again = following_steps(steps, changed, results)
    made = sorted(places[name] for step in again for name in step.outputs if name in places)
    copy = project / EARLIER_ON_CURRENT
    shutil.copytree(data, copy)
    for place in made:
        path = copy / place
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    for checkpoints in copy.glob("06_models/*/checkpoints"):  # from which a finished training takes its weights
        shutil.rmtree(checkpoints)
    names = ",".join(step.name for step in again)
    if names:
        pipelines = "--pipelines=__default__,compare,embed"
        _kedro_run(project, pipelines, f"--nodes={names}", f"--params=data_root={EARLIER_ON_CURRENT}")
    return made


def following_steps(steps: Iterable[Step], changed: Collection[str], results: Collection[str]) -> list[Step]:
    """The nodes that make results which follow from changed datasets, in order.

    Args:
        steps: in an order in which they can run.
        changed: datasets whose own nodes are left out.
        results: the datasets that are wanted.
    """
    steps = list(steps)
    touched, following = set(changed), []
    for step in steps:
        if step.inputs & touched and not step.outputs & set(changed):
            touched |= step.outputs
            following.append(step)
    wanted, needed = set(results), []
    for step in reversed(following):
        if step.outputs & wanted:
            wanted |= step.inputs
            needed.append(step)
    return needed[::-1]


def recipes_in(place: Path) -> set[str]:
    """Names of the recipes of the shards in a folder, or of one file."""
    import pyarrow.parquet as pq

    shards = [place] if place.suffix == ".parquet" else place.rglob("*.parquet")
    footers = (pq.read_metadata(path).metadata or {} for path in shards if path.is_file())
    stored = (json.loads(footer.get(RECIPE_KEY.encode(), b"null")) for footer in footers)
    return {str(recipe["recipe"]) for recipe in stored if recipe}


def different_results(first: Path, second: Path, raised: Collection[str] = ()) -> list[str]:
    """Names of recipe results that differ between two folders, by rows for shards and by bytes for other files.

    Args:
        first, second: two `data_root` of the same world; the second may have datasets that the first has not.
        raised: recipes whose results may differ.
    """
    import pyarrow.parquet as pq

    def results(folder: Path) -> set[Path]:
        shards = {path for path in folder.rglob("*.parquet") if recipes_in(path) - set(raised)}
        files = {*folder.glob("06_models/*/*.safetensors"), *folder.glob("01_raw/**/*")}
        return {path.relative_to(folder) for path in shards | files if path.is_file() and not path.name.startswith(".")}

    def same(name: Path) -> bool:
        one, other = first / name, second / name
        if name.suffix == ".parquet":
            return bool(_results_of(pq.read_table(one)).equals(_results_of(pq.read_table(other))))
        return filecmp.cmp(one, other, shallow=False)

    earlier, later = results(first), results(second)
    # What is in a folder that the first has not is of a dataset that its code did not know.
    added = {name for name in later - earlier if (first / name).parent.is_dir()}
    changed = {name for name in earlier & later if not same(name)}
    return sorted(str(name) for name in (earlier - later) | added | changed)


def _results_of(table: pa.Table) -> pa.Table:
    """A table without what follows from parameters alone: a default that differs changes the fingerprints in cards."""
    if "card" not in table.column_names:
        return table
    cards = [{**json.loads(card), "data_fingerprint": None} for card in table["card"].to_pylist()]
    return table.set_column(table.column_names.index("card"), "card", [[json.dumps(card) for card in cards]])


def commit_of_lock(repository: Path) -> str:
    """The commit that wrote the lock of the working tree, which need not be the last one that wrote a lock.

    Raises:
        subprocess.CalledProcessError: if that is no repository with a commit.
    """
    blob = git(repository, "hash-object", LOCK_NAME)
    commits = git(repository, "log", "--format=%H", "--", LOCK_NAME).splitlines()
    wrote = (commit for commit in commits if git(repository, "ls-tree", commit, LOCK_NAME).split()[2:3] == [blob])
    return next(wrote, commits[0] if commits else git(repository, "rev-parse", "HEAD"))


def git(repository: Path, *arguments: str) -> str:
    """What a Git command prints.

    Raises:
        subprocess.CalledProcessError: if it fails.
    """
    return subprocess.run(
        ["git", *arguments], cwd=repository, capture_output=True, text=True, check=True
    ).stdout.strip()


def _is_in_any(file: str, places: Iterable[str]) -> bool:
    """Whether a file is one of these files, or below one of these folders. Paths are relative to one folder."""
    return any(file == place or file.startswith(f"{place}/") for place in places)


def _kedro_run(project: Path, *arguments: str) -> None:
    kedro = str(Path(sys.executable).with_name("kedro"))
    command = [kedro, "run", "--env", "sample", *arguments]
    with (project / "run.log").open("a") as log:
        subprocess.run(command, cwd=project, env=_environment(project), stdout=log, check=True)


def _environment(project: Path) -> Mapping[str, str]:
    return os.environ | {"PYTHONPATH": str(project / "src"), "CUDA_VISIBLE_DEVICES": ""}


def _copy_working_tree(repository: Path, folder: Path) -> None:
    for name in git(repository, "ls-files", "--cached", "--others", "--exclude-standard").splitlines():
        source, target = repository / name, folder / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
