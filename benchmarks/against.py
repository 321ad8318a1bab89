"""Waits of a user's day with this commit and with another, on the same inputs, interleaved.

python benchmarks/against.py COMMIT [--videos FOLDER] [--evaluated DATA_ROOT] [--network FOLDER] [--world] [--rounds N]

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
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
from machine import describe_machine, table

PROJECT = Path(__file__).resolve().parents[1]
KEDRO = str(Path(sys.executable).with_name("kedro"))

Measure = Callable[[Path], float]
"""Takes the folder of a checkout, and returns processor seconds."""

CLIP = """
import sys, time
from pathlib import Path
from xmodal_kedro.media.streams import probe_file
from xmodal_kedro.params import ClipParams, IngestParams
from xmodal_kedro.reasons import MediaError
try:
    from xmodal_kedro.media.clip_rows import StreamUse
    from xmodal_kedro.media.clipper import clip_file
except ImportError:  # version 0.1, which needs no row of `videos`
    from xmodal_kedro.media.clips import clip_file
    StreamUse = None
spent, clips, files = {"probe": 0.0, "clip": 0.0}, 0, 0
for path in sorted(Path(sys.argv[1]).rglob("*.*")):
    step, start = "probe", time.process_time()
    try:
        row = next(probe_file(str(path), IngestParams()))
        spent[step] += time.process_time() - start
        step, start = "clip", time.process_time()
        for _ in clip_file(str(path), path.name, ClipParams(), *([StreamUse.of(row)] if StreamUse else [])):
            clips += 1
        files += 1
    except MediaError:  # it cannot be used, or is too short for a clip; any other error ends this
        pass
    if step == "clip":
        spent[step] += time.process_time() - start
print(f"{clips} clips and accounts of {files} files", file=sys.stderr)
print(spent[sys.argv[2]])
"""
FIRST_TAG = """
import resource, sys, time
import numpy as np
from xmodal_kedro import load
load(sys.argv[1], "cpu").tag(np.random.default_rng(0).normal(0, 0.1, 80_000).astype(np.float32), 16_000)
print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.0f} MB at most", file=sys.stderr)
print(time.process_time())
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


def run(tree: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a checkout, with its code."""
    environment = os.environ | {"PYTHONPATH": str(tree / "src"), "COLUMNS": "200"}
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)


def printed_seconds(code: str, *arguments: str) -> Measure:
    """Measure by what a program prints last. What it has worked on, its last line of errors, is passed on."""

    def measure(tree: Path) -> float:
        done = run(tree, sys.executable, "-c", code, *arguments)
        if done.returncode:
            raise SystemExit(done.stderr)
        print(f"{tree.name}: {done.stderr.splitlines()[-1]}")
        return float(done.stdout.splitlines()[-1])

    return measure


def kedro_seconds(*command: str, refused_for: str = "") -> Measure:
    """Measure the processor time of a command of Kedro and of all its processes.

    Args:
        refused_for: a word in the error with which it has to end; empty if it has to succeed.
    """

    def measure(tree: Path) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = run(tree, KEDRO, *command)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if bool(done.returncode) != bool(refused_for) or refused_for not in done.stderr:
            raise SystemExit(f"{tree.name}: kedro {' '.join(command)} ended otherwise than expected: {done.stderr}")
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    return measure


def waits(arguments: argparse.Namespace, folder: Path) -> dict[str, Measure]:
    """What is measured with these options, by name."""
    refused = kedro_seconds("run", "--env=sample", "--params=nope=1", refused_for="nope")
    found = {"a refused command (--params nope=1)": refused}
    if arguments.videos:
        videos = str(arguments.videos.resolve())
        found |= {f"{step}, in one process": printed_seconds(CLIP, videos, step) for step in ("probe", "clip")}
    if arguments.network:
        network = str(arguments.network.resolve())
        found["load and the first tag of 5 s, a new process"] = printed_seconds(FIRST_TAG, network)
    if arguments.evaluated:
        stored = stored_embeddings(arguments.evaluated, folder)
        found |= {f"probes of {name} on ESC-50": printed_seconds(PROBE, file) for name, file in stored.items()}
    if arguments.world:
        found["the second kedro run --env sample"] = kedro_seconds("run", "--env=sample")
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
    parser.add_argument("--network", type=Path, help="a network's folder, with its model.onnx")
    parser.add_argument("--world", action="store_true", help="measure an unchanged run of the sample world too")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="against-") as temporary:
        folder, trees = Path(temporary), {}
        for name, commit in (("before", arguments.commit), ("now", "HEAD")):
            trees[name] = folder / name
            subprocess.run(["git", "clone", "--quiet", str(PROJECT), str(trees[name])], check=True)
            subprocess.run(["git", "checkout", "--quiet", commit], cwd=trees[name], check=True)
            if arguments.world:
                kedro_seconds("run", "--env=sample")(trees[name])
        found = waits(arguments, folder)
        spent: dict[str, dict[str, list[float]]] = {wait: {name: [] for name in trees} for wait in found}
        for _ in range(arguments.rounds):
            for wait, measure in found.items():
                for name, tree in trees.items():
                    spent[wait][name].append(measure(tree))
        print(describe_machine())
        print(report(spent, ("before", "now")))


if __name__ == "__main__":
    main()
