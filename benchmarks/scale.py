"""Estimated cost of 15 million clips, from measurements on one core of this machine.

python benchmarks/scale.py VIDEOS TEACHERS [--machines 10] [--cores 32] [--json OUT]

Measures in some minutes, by running the project's nodes on the folder's videos with the teachers of `conf/onnx`; then
multiplies. Values that are not measured are listed as assumptions with their source: figures of a GPU are those of
docs/performance.md. Hours are core-hours divided by cores: `many_shards.py` shows that the overhead of a cluster is
small; the storage must be fast enough for all cores.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from machine import describe_machine, table
from scale_constants import Constants, measure, shipped_clip_params

from xmodal_kedro.media.clip_shard import estimated_bytes
from xmodal_kedro.sharding import spread

CLIPS = 15_000_000
CLIP_HOURS = 16_320.0
"""Of the paper, arXiv 1911.07917."""
RECORDING_S = 300.0
EPOCHS = 30
MODELS = ("vggish_plus", "vggish")
GPU_CLIPS_PER_S = {"vggish_plus": 31_195.0, "vggish": 18_897.0}
GPU_SOURCE = "docs/performance.md, one H200, batches of 512 in bfloat16, compiled, step alone"
A_SHARD = ("clips", "signatures", "visual_labels", "audio_labels", "labels")
"""Datasets of which each has one file for a shard of clips."""


@dataclass(frozen=True)
class Assumptions:
    """What is not measured here.

    Attributes:
        clips: of the corpus.
        clip_hours: their length together.
        recording_s: mean length of a recording, seconds.
        epochs: of training, as `conf/base` has them.
    """

    clips: int = CLIPS
    clip_hours: float = CLIP_HOURS
    recording_s: float = RECORDING_S
    epochs: int = EPOCHS


@dataclass(frozen=True)
class Plan:
    """What the corpus asks for.

    Attributes:
        source_hours: length of the recordings.
        recordings: how many there are.
        core_hours: by stage.
        stored_bytes: by dataset.
        shards: of clips.
        files: in all sharded datasets.
        driver_bytes: memory that the driver takes beside what it has at its start.
        driver_s: time for jobs and fingerprints of one sharded dataset, seconds.
        gpu_hours: of training, by network, on the GPU of `GPU_SOURCE`.
    """

    source_hours: float
    recordings: int
    core_hours: dict[str, float]
    stored_bytes: dict[str, float]
    shards: int
    files: int
    driver_bytes: float
    driver_s: float
    gpu_hours: dict[str, float]


def plan(found: Constants, given: Assumptions) -> Plan:
    """Multiply."""
    source_hours = given.clip_hours * found.source_s / found.clip_s
    recordings = round(3600 * source_hours / given.recording_s)
    of_recordings = ("ingest", "clip")
    core_hours = {
        stage: spent_s * (source_hours / found.source_s if stage in of_recordings else given.clips / found.clips / 3600)
        for stage, spent_s in found.cpu_s.items()
    }
    core_hours["merge_labels"] = found.merge_cpu_s * given.clips / 3600
    trained = given.clips * given.epochs
    shards = count_shards(recordings, given.recording_s)
    return Plan(
        source_hours=source_hours,
        recordings=recordings,
        core_hours=core_hours,
        stored_bytes={name: size * given.clips for name, size in found.stored_bytes.items()},
        shards=shards,
        files=shards * len(A_SHARD),
        driver_bytes=found.driver_bytes * recordings,
        driver_s=found.driver_s * recordings,
        gpu_hours={model: trained / speed / 3600 for model, speed in GPU_CLIPS_PER_S.items()},
    )


def count_shards(recordings: int, recording_s: float) -> int:
    """Shards of clips that the project would make, with the bound of `conf/paper`."""
    params = shipped_clip_params()
    weight = estimated_bytes(recording_s, False, params)
    digests = (hashlib.blake2b(str(number).encode(), digest_size=16).hexdigest() for number in range(recordings))
    return len(spread(dict.fromkeys(digests, weight), 1e6 * params.shard_mb))


def describe_constants(found: Constants) -> str:
    """What was measured, a row each."""
    per_hour = {stage: found.cpu_s[stage] for stage in ("ingest", "clip")}
    rows = [[f"{stage}: times real time", f"{found.source_s / spent_s:,.0f}"] for stage, spent_s in per_hour.items()]
    rows += [
        [f"{stage}: clips/s", f"{found.clips / spent_s:,.0f}"]
        for stage, spent_s in found.cpu_s.items()
        if stage not in per_hour
    ]
    rows += [["merge_labels: clips/s", f"{1 / found.merge_cpu_s:,.0f}"]]
    rows += [["reading to train: clips/s", f"{found.loaded_per_s:,.0f}"]]
    rows += [[f"training step, {model}: clips/s", f"{speed:,.1f}"] for model, speed in found.trained_per_s.items()]
    rows += [[f"{name}: bytes a clip", f"{size:,.0f}"] for name, size in found.stored_bytes.items()]
    rows += [["clips' share of the recordings' length", f"{100 * found.clip_s / found.source_s:.0f} %"]]
    rows += [["driver: bytes a recording", f"{found.driver_bytes:,.0f}"]]
    return table(["measured, a core", ""], rows)


def describe_assumptions(given: Assumptions) -> str:
    """What was not."""
    rows = [
        ["clips, and their hours", f"{given.clips:,}, {given.clip_hours:,.0f}", "the paper, arXiv 1911.07917"],
        ["length of a recording, s", f"{given.recording_s:g}", "--recording-s"],
        ["epochs", f"{given.epochs}", "conf/base/parameters/train.yml"],
        *([f"GPU, {model}: clips/s", f"{speed:,.0f}", GPU_SOURCE] for model, speed in GPU_CLIPS_PER_S.items()),
    ]
    widths = [max(len(row[at]) for row in rows) for at in (0, 1)]
    return "\n".join(f"{name:{widths[0]}}  {value:>{widths[1]}}  {source}" for name, value, source in rows)


def describe_plan(asked: Plan, found: Constants, given: Assumptions, machines: int, cores: int) -> str:
    """What it comes to, on so many machines."""
    total = sum(asked.core_hours.values())
    stages = [
        [stage, f"{hours:,.0f}", f"{hours / machines / cores:,.1f}"]
        for stage, hours in [*asked.core_hours.items(), ("all of these", total)]
    ]
    trained = given.clips * given.epochs
    training = [
        [
            f"{given.epochs} epochs of {model}",
            f"{asked.gpu_hours[model]:,.1f}",
            f"{trained / found.trained_per_s[model] / 3600:,.0f}",
            f"{GPU_CLIPS_PER_S[model] / found.loaded_per_s:.1f}",
        ]
        for model in MODELS
    ]
    stored = [[name, f"{size / 1e9:,.1f}"] for name, size in asked.stored_bytes.items()]
    facts = (
        f"{asked.recordings:,} recordings, {asked.source_hours:,.0f} hours; {asked.shards:,} shards of clips, "
        f"{asked.files:,} files\ndriver: {asked.driver_bytes / 1e6:,.0f} MB more than at its start, and "
        f"{asked.driver_s:,.0f} s of planning before the first job of a run"
    )
    tables = [
        table(["stage", "core-hours", f"hours, {machines} x {cores} cores"], stages),
        table(["training", "GPU-hours (assumed)", "core-hours on CPUs", "cores that feed the GPU"], training),
        table(["dataset", "GB"], stored),
    ]
    return "\n\n".join([facts, *tables])


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", type=Path, help="folder of real videos with sound")
    parser.add_argument("teachers", type=Path, help="folder of the teachers that conf/onnx names")
    parser.add_argument("--machines", type=int, default=10)
    parser.add_argument("--cores", type=int, default=32, help="of a machine")
    parser.add_argument("--clips", type=int, default=CLIPS)
    parser.add_argument("--clip-hours", type=float, default=CLIP_HOURS)
    parser.add_argument(
        "--recording-s", type=float, default=RECORDING_S, help="mean length of your recordings, seconds"
    )
    parser.add_argument("--folder", type=Path, help="for what is made, under 1 GB; removed in the end")
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args(arguments)
    given = Assumptions(options.clips, options.clip_hours, options.recording_s)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        found = measure(options.videos, options.teachers, Path(folder), MODELS)
    asked = plan(found, given)
    print(f"{describe_machine()}, one thread, processor time\n\n{describe_constants(found)}")
    print(f"\nAssumed\n{describe_assumptions(given)}")
    print(f"\nThe corpus\n{describe_plan(asked, found, given, options.machines, options.cores)}")
    if options.json:
        figures: dict[str, Any] = {"machine": describe_machine(), "measured": asdict(found), "assumed": asdict(given)}
        options.json.write_text(json.dumps({**figures, "plan": asdict(asked)}, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
