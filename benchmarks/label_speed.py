"""Clips per second that a teacher labels, compared with the bare onnxruntime session on ready tensors.

python benchmarks/label_speed.py VIDEOS TEACHERS [--rounds N] [--json OUT]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import yaml
from machine import describe_machine, table
from numpy.typing import NDArray

from xmodal_kedro.datasets.folder import FolderDataset
from xmodal_kedro.datasets.stored_shard import StoredShard
from xmodal_kedro.media.clip_rows import ClipRow
from xmodal_kedro.media.clipper import clip_file
from xmodal_kedro.params import AudioTeacherCard, ClipParams, LabelParams, TeacherCard, VisualTeacherCard
from xmodal_kedro.reasons import MediaError
from xmodal_kedro.schemas import CLIPS_ARROW
from xmodal_kedro.teachers.labelling import LabelTask, label_shard
from xmodal_kedro.teachers.opening import open_teacher, teacher_files
from xmodal_kedro.teachers.protocol import Device, Teacher

PARAMETERS = Path(__file__).parents[1] / "conf/onnx/parameters"
CUDA = "CUDAExecutionProvider"
SHARDS = (1, 2, 4, 8)
"""Numbers of shards of equal size, after which memory is read."""
CARDS: dict[str, type[TeacherCard]] = {"visual": VisualTeacherCard, "audio": AudioTeacherCard}


@dataclass(frozen=True)
class Measured:
    """Medians over the rounds of one teacher on one device.

    Attributes:
        bare_s: the session alone, on tensors that are ready, seconds of the clips.
        prepare_s: making those tensors.
        label_s: labelling the stored shard: reading, decoding, preparing, inference, table.
        ratio: of the clips a second, labelling over the bare session.
        rss_mb: resident memory after so many shards.
    """

    bare_s: float
    prepare_s: float
    label_s: float
    ratio: float
    rss_mb: list[float]


def make_clips(videos: Path) -> list[ClipRow]:
    """Clips of all videos of a folder, made by the project."""
    clips: list[ClipRow] = []
    for path in sorted(file for file in videos.iterdir() if file.is_file()):
        try:
            clips += [made for made in clip_file(str(path), path.name, ClipParams()) if isinstance(made, ClipRow)]
        except MediaError:
            continue
    return clips


def store(clips: Sequence[ClipRow], path: Path) -> StoredShard:
    """Write a shard as the catalog does."""
    shard = pa.Table.from_pylist([clip._asdict() for clip in clips], schema=CLIPS_ARROW)
    pq.write_table(shard, path, compression="none", row_group_size=64)
    return StoredShard(str(path), "")


def bare_session(card: TeacherCard, weights: Path, rows: Sequence[NDArray[Any]], device: Device) -> Callable[[], None]:
    """The model on ready batches, of the model's fixed batch size or that of the parameters."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    providers = [CUDA] if device == "cuda" else ["CPUExecutionProvider"]
    session = ort.InferenceSession(weights.read_bytes(), options, providers=providers)
    fixed = session.get_inputs()[0].shape[0]
    size = fixed if isinstance(fixed, int) else LabelParams().batch_size
    batches = [np.stack(rows[at : at + size]) for at in range(0, len(rows) - len(rows) % size, size)]
    name = session.get_inputs()[0].name

    def run() -> None:
        for batch in batches:
            session.run([card.output.tensor], {name: batch})

    return run


def seconds(work: Callable[[], object], device: Device) -> float:
    """Processor time on a CPU, where other programs do not count; wall time on a GPU."""
    clock = time.perf_counter if device == "cuda" else time.process_time
    started = clock()
    work()
    return clock() - started


def measure(
    kind: str, folder: Path, clips: Sequence[ClipRow], shard: StoredShard, device: Device, rounds: int
) -> Measured:
    """Time a teacher in rounds, the ways in turn."""
    stated = yaml.safe_load((PARAMETERS / f"{kind}_teacher.yml").read_text())[f"{kind}_teacher"]
    card = CARDS[kind].model_validate(stated)
    files = teacher_files(card, FolderDataset(path=str(folder)).load())
    question = LabelTask(card, LabelParams(device=device))
    teacher: Teacher = open_teacher(card, files, device)
    inputs = [clip.frames if kind == "visual" else np.frombuffer(clip.audio, "<i2") for clip in clips]

    def prepare() -> list[NDArray[Any]]:
        return [row for clip in inputs for row in teacher.rows(clip)]

    bare = bare_session(card, folder / card.weights, prepare(), device)

    def label() -> None:
        for _ in label_shard(shard, files, question):
            pass

    bare()
    label()
    times = [[seconds(work, device) for work in (bare, prepare, label)] for _ in range(rounds)]
    bare_s, prepare_s, label_s = (statistics.median(column) for column in zip(*times, strict=True))
    ratio = statistics.median(row[0] / row[2] for row in times)
    rss_mb, done = [], 0
    for count in SHARDS:
        while done < count:
            label()
            done += 1
        rss_mb.append(psutil.Process().memory_info().rss / 1e6)
    return Measured(bare_s, prepare_s, label_s, ratio, rss_mb)


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", type=Path, help="folder of real videos with sound")
    parser.add_argument("teachers", type=Path, help="folder of the teachers that conf/onnx names")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)  # as in a worker; there is one for each core
    clips = make_clips(options.videos)
    devices: list[Device] = ["cpu", "cuda"] if CUDA in ort.get_available_providers() else ["cpu"]
    rows, figures = [], {}
    with tempfile.TemporaryDirectory() as folder:
        shard = store(clips, Path(folder, "clips.parquet"))
        for device in devices:
            for kind in CARDS:
                found = measure(kind, options.teachers, clips, shard, device, options.rounds)
                figures[f"{kind} {device}"] = vars(found)
                speeds = [f"{len(clips) / taken:.1f}" for taken in (found.bare_s, found.label_s)]
                shares = [f"{100 * found.ratio:.0f} %", f"{100 * found.prepare_s / found.label_s:.0f} %"]
                rows.append([f"{kind}, {device}", *speeds, *shares, *(f"{mb:.0f}" for mb in found.rss_mb)])
    print(f"{describe_machine()}\n{len(clips)} clips; clips a second in one thread, medians of {options.rounds} rounds")
    memory = [f"MB after {count}" for count in SHARDS]
    print(table(["teacher", "bare session", "labelled", "ratio", "preparing", *memory], rows))
    if options.json:
        options.json.write_text(json.dumps({"clips": len(clips), **figures}, indent=2) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
