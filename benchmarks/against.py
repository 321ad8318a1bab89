"""Waits of a user's day with this commit and with another, on the same inputs, interleaved.

python benchmarks/against.py COMMIT [--videos FOLDER] [--evaluated DATA_ROOT] [--world] [--rounds N]

Each figure is processor time, the median of the rounds. Clips and probes count the work alone, the others a
whole command with its imports. `--world` makes the sample world with both commits first, which takes minutes.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
from machine import describe_machine, table

PROJECT = Path(__file__).resolve().parents[1]

CLIP = """
import sys, time
from pathlib import Path
from xmodal_kedro.media.streams import probe_file
from xmodal_kedro.params import ClipParams, IngestParams
try:
    from xmodal_kedro.media.clip_rows import StreamUse
    from xmodal_kedro.media.clipper import clip_file
except ImportError:  # version 0.1, which needs no row of `videos`
    from xmodal_kedro.media.clips import clip_file
    StreamUse = None
spent = {"probe": 0.0, "clip": 0.0}
for path in sorted(Path(sys.argv[1]).rglob("*.*")):
    try:
        start = time.process_time()
        row = next(probe_file(str(path), IngestParams()))
        spent["probe"] += time.process_time() - start
        start = time.process_time()
        for _ in clip_file(str(path), path.name, ClipParams(), *([StreamUse.of(row)] if StreamUse else [])):
            pass
        spent["clip"] += time.process_time() - start
    except Exception:
        pass  # a file that cannot be used, or that is too short for a clip
print(spent[sys.argv[2]])
"""
PROBE = """
import sys, time
import numpy as np
from threadpoolctl import threadpool_limits
try:
    from xmodal_kedro.evaluation.probe import fit_probe
except ImportError:  # version 0.1
    from xmodal_kedro.benchmarks.probe import fit_probe
data = np.load(sys.argv[1])
vectors, truths, folds = (data[name] for name in ("vectors", "truths", "folds"))
spent, right = time.process_time(), []
with threadpool_limits(1):
    for fold in np.unique(folds):
        train = folds != fold
        probe = fit_probe(vectors[train], truths[train], folds[train], (0.001, 0.01, 0.1, 1.0))
        right.append(np.mean(probe.predict(vectors[~train]) == truths[~train]))
print(f"accuracy {100 * np.mean(right):.2f}", file=sys.stderr)
print(time.process_time() - spent)
"""


@dataclass(frozen=True)
class Wait:
    """Something that a user waits for.

    Attributes:
        measure: takes the folder of a checkout, and returns processor seconds.
    """

    name: str
    measure: Callable[[Path], float]


def run(tree: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a checkout, with its code."""
    environment = os.environ | {"PYTHONPATH": str(tree / "src"), "COLUMNS": "200"}
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)


def printed_seconds(code: str, *arguments: str) -> Callable[[Path], float]:
    """Measure by what a program prints in its last line; what it says beside that is passed on."""

    def measure(tree: Path) -> float:
        done = run(tree, sys.executable, "-c", code, *arguments)
        if done.returncode:
            raise SystemExit(done.stderr)
        if done.stderr.startswith("accuracy"):
            print(f"{tree.name}: {done.stderr.strip()}")
        return float(done.stdout.splitlines()[-1])

    return measure


def command_seconds(*command: str) -> Callable[[Path], float]:
    """Measure the processor time of a command of Kedro and of all its processes."""

    def measure(tree: Path) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run(tree, str(Path(sys.executable).with_name("kedro")), *command)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    return measure


def waits(arguments: argparse.Namespace, folder: Path) -> list[Wait]:
    """What is measured with these options."""
    found = [Wait("a refused command (--params nope=1)", command_seconds("run", "--env=sample", "--params=nope=1"))]
    if arguments.videos:
        folder_of = str(arguments.videos.resolve())
        found += [Wait(f"{step}, in one process", printed_seconds(CLIP, folder_of, step)) for step in ("probe", "clip")]
    if arguments.evaluated:
        for name, vectors in stored_embeddings(arguments.evaluated, folder).items():
            found.append(Wait(f"probes of {name} on ESC-50", printed_seconds(PROBE, vectors)))
    if arguments.world:
        found.append(Wait("the second kedro run --env sample", command_seconds("run", "--env=sample")))
    return found


def stored_embeddings(data_root: Path, folder: Path) -> dict[str, str]:
    """Files with the embeddings of ESC-50 that `transfer_eval` stored, by representation, with classes and folds."""
    shards = [
        *data_root.glob("07_model_output/*/esc50/embeddings/*.parquet"),
        *data_root.glob("04_feature/benchmarks/esc50/reference_embeddings/*.parquet"),
    ]
    tables: dict[str, list[pd.DataFrame]] = {}
    for shard in sorted(shards):
        tables.setdefault(shard.stem.rpartition("-")[0], []).append(pd.read_parquet(shard))
    found = {}
    for name, parts in tables.items():
        table = pd.concat(parts, ignore_index=True)
        files = table["file"].map(lambda file: Path(file).stem)
        found[name] = str(folder / f"{name}.npz")
        np.savez(
            found[name],
            vectors=np.stack(table["embedding"].tolist()).astype(float),
            truths=files.str.split("-").str[3].to_numpy(str),  # fold-recording-take-class, as ESC-50 names its files
            folds=files.str.split("-").str[0].astype(int).to_numpy(),
        )
    return found


def report(spent: Mapping[str, Mapping[str, Sequence[float]]], names: tuple[str, str]) -> str:
    """A Markdown table: each wait with both commits, and how many times less the second takes."""
    rows = []
    for wait, by_tree in spent.items():
        before, now = (median(by_tree[name]) for name in names)
        rows.append([wait, f"{before:.2f}", f"{now:.2f}", f"{before / now:.2f}"])
    return table(["processor time, s", *names, "ratio"], rows)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("commit")
    parser.add_argument("--videos", type=Path, help="folder of videos, for clipping")
    parser.add_argument("--evaluated", type=Path, help="data_root of a transfer_eval on ESC-50, for probes")
    parser.add_argument("--world", action="store_true", help="measure an unchanged run of the sample world too")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="against-") as temporary:
        folder, trees = Path(temporary), {}
        for name, commit in (("before", arguments.commit), ("now", "HEAD")):
            trees[name] = folder / name
            subprocess.run(["git", "clone", "--quiet", str(PROJECT), str(trees[name])], check=True)
            subprocess.run(["git", "checkout", "--quiet", commit], cwd=trees[name], check=True)
            if (
                arguments.world
                and run(trees[name], str(Path(sys.executable).with_name("kedro")), "run", "--env=sample").returncode
            ):
                raise SystemExit(f"{commit}: the sample world does not run here")
        found = waits(arguments, folder)
        spent: dict[str, dict[str, list[float]]] = {wait.name: {name: [] for name in trees} for wait in found}
        for _ in range(arguments.rounds):
            for wait in found:
                for name, tree in trees.items():
                    spent[wait.name][name].append(wait.measure(tree))
        print(describe_machine())
        print(report(spent, ("before", "now")))


if __name__ == "__main__":
    main()
