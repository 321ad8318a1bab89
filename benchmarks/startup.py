"""Start-up time of a command, compared with the same command in an empty Kedro project.

python benchmarks/startup.py [--rounds N] [--json OUT]

`kedro registry list` in new processes, in turn: in this project; in an empty one (settings and a registry without
pipelines) in the same environment, where Kedro loads the commands of every plugin that is installed; and in an empty
one as if kedro-mlflow were not installed, which is the lower limit. Medians of wall time and of processor time. Then
the time of imports by package, including everything that a package imports in turn.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

from machine import cpu_s, describe_machine, table

PROJECT = Path(__file__).resolve().parents[1]
OURS, EMPTY, BARE = "this project", "empty project", "empty, no kedro-mlflow"
COMMAND = """
import sys
from kedro.framework.cli.cli import main
sys.argv = ["kedro", "registry", "list"]
main()
"""
WITHOUT_MLFLOW = """
from kedro.framework.cli import utils
load = utils._safe_load_entry_point
utils._safe_load_entry_point = lambda entry: None if entry.module.startswith("kedro_mlflow") else load(entry)
"""
SHOWN_S = 0.05
"""Minimum time of imports for a package to be shown."""
OUTERMOST = re.compile(r"import time:\s*\d+ \|\s*(\d+) \| ([\w.]+)$")


def make_empty_project(folder: Path) -> None:
    """Write the smallest project that Kedro accepts."""
    package = folder / "src" / "empty"
    package.mkdir(parents=True)
    (folder / "conf" / "base").mkdir(parents=True)
    (folder / "conf" / "local").mkdir()
    (folder / "pyproject.toml").write_text(
        "[tool.kedro]\npackage_name = 'empty'\nproject_name = 'empty'\nkedro_init_version = '1.7.0'\n"
    )
    (folder / ".telemetry").write_text("consent: false\n")
    (folder / "conf" / "logging.yml").write_text((PROJECT / "conf" / "logging.yml").read_text())
    (package / "__init__.py").touch()
    (package / "settings.py").touch()
    (package / "pipeline_registry.py").write_text(
        "from kedro.pipeline import Pipeline\n\n\ndef register_pipelines():\n    return {'__default__': Pipeline([])}\n"
    )


def seconds(folder: Path, code: str) -> tuple[float, float]:
    """Wall and processor time of one start."""
    clock, processor = time.perf_counter(), cpu_s()
    subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, check=True)
    return time.perf_counter() - clock, cpu_s() - processor


def import_seconds(report: Iterable[str]) -> dict[str, float]:
    """Seconds by package with all that it imports, from the report of `python -X importtime`."""
    found: dict[str, float] = defaultdict(float)
    for matched in filter(None, map(OUTERMOST.match, report)):
        found[matched[2].partition(".")[0]] += int(matched[1]) / 1e6
    return found


def imports_of(folder: Path, code: str) -> dict[str, float]:
    command = [sys.executable, "-X", "importtime", "-c", code]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return import_seconds(done.stderr.splitlines())


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        empty = Path(temporary)
        make_empty_project(empty)
        ways = {OURS: (PROJECT, COMMAND), EMPTY: (empty, COMMAND), BARE: (empty, WITHOUT_MLFLOW + COMMAND)}
        for way in ways.values():  # once, so that everything is compiled and in the file cache
            seconds(*way)
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for _ in range(chosen.rounds):
            for name, way in ways.items():
                taken[name].append(seconds(*way))
        imported = {name: imports_of(*ways[name]) for name in (OURS, EMPTY)}
    clock, processor = ({name: median(pair[at] for pair in pairs) for name, pairs in taken.items()} for at in (0, 1))
    print(describe_machine())
    print(f"\n`kedro registry list`, medians of {chosen.rounds} rounds, seconds\n")
    rows = [[name, f"{clock[name]:.2f}", f"{processor[name]:.2f}"] for name in ways]
    rows += [
        [f"this less {name}", f"{clock[OURS] - clock[name]:+.2f}", f"{processor[OURS] - processor[name]:+.2f}"]
        for name in (EMPTY, BARE)
    ]
    print(table(["", "clock", "processor"], rows))
    print("\nSeconds that imports take, with Python's own measuring of them, by package\n")
    slow = sorted(
        package for package in set().union(*imported.values()) if any(of[package] > SHOWN_S for of in imported.values())
    )
    print(table(["", *imported], [[package, *(f"{of[package]:.2f}" for of in imported.values())] for package in slow]))
    if chosen.json:
        chosen.json.write_text(json.dumps({"clock_s": clock, "processor_s": processor, "import_s": imported}, indent=2))


if __name__ == "__main__":
    main()
