"""Time and memory of merging labels, by the number of clips.

python benchmarks/merge_scale.py [--sizes 150000,1500000,15000000] [--teachers FOLDER] [--folder TEMPORARY] [--json OUT]

Makes shards of clips and labels with `simulated_labels`. Then a separate process runs the nodes of `merge_labels` up to
`labels` in order, on the datasets of the catalog with their checks, without Kedro's start, tracking and report.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import yaml
from kedro.config import OmegaConfigLoader
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline
from kedro.runner import SequentialRunner
from machine import cpu_s, describe_machine, table
from simulated_labels import TeacherTables, draw_near_duplicates, draw_videos, made_up_tables, shard_jobs

from xmodal_kedro.datasets.folder import FolderDataset
from xmodal_kedro.datasets.sharded import ShardedParquetDataset
from xmodal_kedro.params import AudioTeacherCard, MergeParams, VisualTeacherCard
from xmodal_kedro.pipelines.audio_label.nodes import list_audio_classes
from xmodal_kedro.pipelines.merge_labels.pipeline import create_pipeline
from xmodal_kedro.pipelines.visual_label.nodes import list_visual_classes
from xmodal_kedro.settings import CONFIG_LOADER_ARGS

CONF = Path(__file__).parents[1] / "conf"
SIZES = "150000,1500000,15000000"
LAST_NODE = "merge_shards"
TIMES = "times.json"
MADE = "05_model_input"
SAMPLE_EVERY_S = 0.2
STORING = ("path", "engine", "compression", "row_group_rows")

WAYS: dict[str, dict[str, Any]] = {
    "union": {},
    "agreement": {
        "rule": "agreement",
        "visual": {"threshold": 0.1, "top_k": 3, "max_rate": 0.02},
        "audio": {"threshold": 0.1, "top_k": 5, "max_rate": 0.05},
        "drop_silent": True,
        "parents": True,
        "targets": "soft",
    },
}
"""Changes of `conf/base`: none, which reads the labels twice; and the most costly options, which read them three
times."""


def catalog_entries(folder: Path, workers: int) -> dict[str, Any]:
    """The datasets of merging in the catalog of `conf/base`, in another folder and with `workers` workers."""
    usual: dict[str, Any] = {**CONFIG_LOADER_ARGS, "default_run_env": "base"}
    config = OmegaConfigLoader(str(CONF), runtime_params={"data_root": folder}, **usual)
    used = create_pipeline().to_nodes(LAST_NODE).datasets()
    entries = {name: entry for name, entry in config["catalog"].items() if name in used}
    for entry in entries.values():
        if "engine" in entry:
            entry["engine"] = {"backend": "loky", "workers": workers}
    return entries


def teacher_tables(folder: Path) -> TeacherTables:
    """The classes of the teachers that `conf/onnx` names."""
    cards = {}
    for modality in ("visual", "audio"):
        text = (CONF / f"onnx/parameters/{modality}_teacher.yml").read_text()
        cards[modality] = yaml.safe_load(text)[f"{modality}_teacher"]
    files = FolderDataset(path=str(folder)).load()
    visual = list_visual_classes(files, VisualTeacherCard.model_validate(cards["visual"]))
    return TeacherTables(visual, *list_audio_classes(files, AudioTeacherCard.model_validate(cards["audio"])))


def simulate(clip_count: int, tables: TeacherTables, folder: Path) -> None:
    """Store all inputs of merging."""
    entries = catalog_entries(folder, -1)
    catalog = DataCatalog.from_config(entries)
    for name, made in vars(tables).items():
        catalog.save(name, made)
    videos = draw_videos(clip_count)
    catalog.save("near_duplicates", draw_near_duplicates(list(videos)))
    for name, jobs in shard_jobs(videos, tables).items():
        # Without its check, as that of clips requires audio.
        options = {field: value for field, value in entries[name].items() if field in STORING}
        ShardedParquetDataset(**options).save(jobs)


def merge(folder: Path, workers: int, params: MergeParams) -> dict[str, Any]:
    """Run the nodes up to that which stores labels; `seconds` by node, and `cpu_s` of them all, with the workers."""
    seconds, cpu_before_s = {}, cpu_s()
    catalog = DataCatalog.from_config(catalog_entries(folder, workers))
    catalog["params:merge_labels"] = MemoryDataset(params)
    for node in create_pipeline().to_nodes(LAST_NODE).nodes:
        started = time.monotonic()
        SequentialRunner().run(Pipeline([node]), catalog)
        seconds[node.name] = round(time.monotonic() - started, 2)
    return {"seconds": seconds, "cpu_s": round(cpu_s() - cpu_before_s, 2)}


def measure(folder: Path, workers: int, way: str) -> dict[str, Any]:
    """Merge in a new process; returns the results of `merge`, and `peak_bytes` of the process and its workers."""
    command = [sys.executable, __file__, "--merge", str(folder), "--ways", way, "--workers", str(workers)]
    peak, done = [0], threading.Event()
    process = subprocess.Popen(command)
    watcher = threading.Thread(target=watch, args=(process.pid, peak, done))
    watcher.start()
    try:
        if process.wait():
            raise SystemExit("merging failed, see above")
    finally:
        done.set()
        watcher.join()
    return {**json.loads((folder / TIMES).read_text()), "peak_bytes": peak[0]}


def watch(pid: int, peak: list[int], done: threading.Event) -> None:
    """Record the highest sum of PSS (which divides shared pages among processes) of a process and its children."""
    driver = psutil.Process(pid)
    while not done.wait(SAMPLE_EVERY_S):
        try:
            processes = [driver, *driver.children(recursive=True)]
            peak[0] = max(peak[0], sum(process.memory_full_info().pss for process in processes))
        except psutil.Error:  # one has just ended
            continue


def stored_bytes(folder: Path) -> int:
    """Of all shards in a folder."""
    return sum(path.stat().st_size for path in folder.glob("shard-*.parquet"))


def params_of(way: str) -> MergeParams:
    """Those of `conf/base`, changed."""
    text = (CONF / "base/parameters/merge_labels.yml").read_text()
    return MergeParams.model_validate({**yaml.safe_load(text)["merge_labels"], **WAYS[way]})


def run(clip_count: int, tables: TeacherTables, workers: int, ways: Sequence[str], folder: Path) -> list[dict]:
    """Make a corpus, and merge it each way."""
    started = time.monotonic()
    simulate(clip_count, tables, folder)
    print(f"{clip_count:,} clips made in {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    results = []
    for way in ways:
        shutil.rmtree(folder / MADE, ignore_errors=True)
        measured = measure(folder, workers, way)
        results.append(
            {
                "clips": clip_count,
                "way": way,
                "shards": len(list((folder / MADE / "labels").glob("shard-*.parquet"))),
                **measured,
                "labels_read_bytes": sum(
                    stored_bytes(folder / f"04_feature/{name}_labels") for name in ("visual", "audio")
                ),
                "targets_written_bytes": stored_bytes(folder / MADE / "labels"),
            }
        )
        print(json.dumps(results[-1]), file=sys.stderr, flush=True)
    return results


def describe(results: Sequence[dict[str, Any]]) -> str:
    """A table of all results."""
    header = [
        "clips",
        "way",
        "shards",
        *results[0]["seconds"],
        "s in all",
        "CPU s",
        "clips/s",
        "peak MB",
        "labels MB",
        "targets MB",
    ]
    rows = []
    for result in results:
        total = sum(result["seconds"].values())
        sizes = [result[name] / 1e6 for name in ("peak_bytes", "labels_read_bytes", "targets_written_bytes")]
        rows.append(
            [
                f"{result['clips']:,}",
                result["way"],
                f"{result['shards']:,}",
                *(f"{seconds:.1f}" for seconds in result["seconds"].values()),
                f"{total:.1f}",
                f"{result['cpu_s']:.0f}",
                f"{result['clips'] / total:,.0f}",
                *(f"{size:,.0f}" for size in sizes),
            ]
        )
    return table(header, rows)


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default=SIZES, help="numbers of clips, joined by commas")
    parser.add_argument("--ways", default=",".join(WAYS), help="which merges, joined by commas")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--teachers", type=Path, help="of conf/onnx, for their classes; else classes are made up")
    parser.add_argument("--folder", type=Path, help="for the shards, some 3 GB at 15 million clips; removed in the end")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--merge", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.merge:
        times = merge(options.merge, options.workers, params_of(options.ways))
        (options.merge / TIMES).write_text(json.dumps(times))
        return
    tables = teacher_tables(options.teachers) if options.teachers else made_up_tables()
    results = []
    for size in map(int, options.sizes.split(",")):
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            results += run(size, tables, options.workers, options.ways.split(","), Path(folder))
    print(f"{describe_machine()}, {options.workers} workers; seconds by node\n\n{describe(results)}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main(sys.argv[1:])
