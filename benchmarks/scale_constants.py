"""The constants of `scale.py`, measured on this machine by running the project's nodes."""

from __future__ import annotations

import hashlib
import logging
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import torch
from kedro.config import OmegaConfigLoader
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline
from kedro.runner import SequentialRunner
from loader_speed import time_way
from loader_ways import WAYS
from machine import cpu_s
from merge_scale import measure as measure_merge
from merge_scale import simulate, stored_bytes
from simulated_clips import CLASSES, store
from simulated_labels import made_up_tables
from train_ways import STEPS_PER_EPOCH, Timer, step_only
from train_ways import params_of as train_params_of

from xmodal_kedro.cli.reference import SECTIONS
from xmodal_kedro.datasets.fingerprint import fingerprint
from xmodal_kedro.params import ClipParams, IngestParams
from xmodal_kedro.pipelines import audio_label, clip, ingest, visual_label
from xmodal_kedro.pipelines.clip.nodes import clip_videos
from xmodal_kedro.settings import CONFIG_LOADER_ARGS
from xmodal_kedro.storage import FileRef, Folder, ShardJobs
from xmodal_kedro.training.learner import Learner
from xmodal_kedro.training.student import Heads

CONF = Path(__file__).parents[1] / "conf"
ENV = "onnx"
STORE = "s3://some-bucket/recordings"
STAGES = {
    "ingest": ("probe_sources",),
    "clip": ("clip_videos",),
    "near-duplicates: signing": ("sign_videos",),
    "visual_label": ("label_frames",),
    "audio_label": ("label_audio",),
}
"""Nodes whose time grows with the corpus; merging and training are measured with more clips than a few videos give."""
STORED = {
    "probes": "02_intermediate/probes",
    "clips": "03_primary/clips",
    "signatures": "03_primary/signatures",
    "visual_labels": "04_feature/visual_labels",
    "audio_labels": "04_feature/audio_labels",
}
MERGED_CLIPS = 150_000
LOADED_SHARDS, LOADED_CLIPS_PER_SHARD = 2, 1_024
BATCH = 32
DRIVER_RECORDINGS = 100_000
"""Of which the driver makes jobs and fingerprints, to see what memory one takes of it."""


@dataclass(frozen=True)
class Constants:
    """What was measured.

    Attributes:
        source_s: length of the recordings that gave clips, seconds.
        clip_s: length of all clips, seconds.
        clips: how many there were.
        cpu_s: processor time by stage: of `ingest` and `clip` for all recordings, of the others for all clips.
        merge_cpu_s: of merging one clip's labels.
        stored_bytes: by dataset, a clip.
        loaded_per_s: clips a second and core that training reads.
        trained_per_s: clips a second and core that training learns from, by network.
        driver_bytes: memory of the driver, a recording.
        driver_s: its time for a recording's part in jobs and fingerprints, seconds.
    """

    source_s: float
    clip_s: float
    clips: int
    cpu_s: dict[str, float]
    merge_cpu_s: float
    stored_bytes: dict[str, float]
    loaded_per_s: float
    trained_per_s: dict[str, float]
    driver_bytes: float
    driver_s: float


def measure(videos: Path, teachers: Path, folder: Path, models: tuple[str, ...]) -> Constants:
    """All of them, in a few minutes; one thread, processor time."""
    torch.set_num_threads(1)
    logging.getLogger("kedro").setLevel(logging.WARNING)
    line = folder / "line"
    run_line(videos, teachers, line)  # what is imported and cached once does not count
    shutil.rmtree(line)
    spent = run_line(videos, teachers, line)
    clips = pd.concat(
        pd.read_parquet(path, columns=["video_id", "start_s", "end_s"])
        for path in (line / STORED["clips"]).glob("*.parquet")
    )
    table = pd.read_parquet(line / "02_intermediate/videos.parquet")
    sizes = {name: stored_bytes(line / path) / len(clips) for name, path in STORED.items()}
    merge_cpu_s, sizes["labels"] = time_merging(folder)
    driver_bytes, driver_s = weigh_driver()
    return Constants(
        source_s=float(table["duration_s"].sum()),
        clip_s=float((clips["end_s"] - clips["start_s"]).sum()),
        clips=len(clips),
        cpu_s={stage: sum(spent[node] for node in nodes) for stage, nodes in STAGES.items()},
        merge_cpu_s=merge_cpu_s,
        stored_bytes=sizes,
        loaded_per_s=time_loader(folder),
        trained_per_s={model: time_training(model) for model in models},
        driver_bytes=driver_bytes,
        driver_s=driver_s,
    )


def run_line(videos: Path, teachers: Path, data_root: Path) -> dict[str, float]:
    """Run the nodes from the recordings to both teachers' labels, in this process; processor time by node."""
    places = {"source": str(videos), "teachers": str(teachers), "data_root": str(data_root)}
    config = loader(ENV, places)
    nodes = sum(
        (part.create_pipeline() for part in (ingest, clip, visual_label, audio_label)), start=Pipeline([])
    ).to_nodes(*(node for stage in STAGES.values() for node in stage))
    catalog = DataCatalog.from_config(_in_one_thread(config["catalog"], nodes), config["credentials"])
    for name in nodes.inputs():
        if name.startswith("params:"):
            section = name.removeprefix("params:")
            catalog[name] = MemoryDataset(SECTIONS[section].model_validate(config["parameters"][section]))
    spent = {}
    for node in nodes.nodes:
        before_s = cpu_s()
        SequentialRunner().run(Pipeline([node]), catalog)
        spent[node.name] = cpu_s() - before_s
    return spent


def _in_one_thread(catalog: dict[str, Any], nodes: Pipeline) -> dict[str, Any]:
    entries = {name: dict(entry) for name, entry in catalog.items() if name in nodes.datasets()}
    for entry in entries.values():
        if "engine" in entry:
            entry["engine"] = {"backend": "threading", "workers": 1}
    return entries


def time_merging(folder: Path) -> tuple[float, float]:
    """Processor time of merging and bytes of targets, a clip, over simulated labels."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        simulate(MERGED_CLIPS, made_up_tables(), Path(place))
        found = measure_merge(Path(place), 1, "union")
        return found["cpu_s"] / MERGED_CLIPS, stored_bytes(Path(place, "05_model_input/labels")) / MERGED_CLIPS


def time_loader(folder: Path) -> float:
    """Clips a second that one thread reads to train on, from warm cache."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        store(Path(place), LOADED_SHARDS, LOADED_CLIPS_PER_SHARD)
        way = next(name for name in WAYS if "1 reader thread" in name)
        timed = time_way(Path(place), way, LOADED_SHARDS, 2 * LOADED_SHARDS * LOADED_CLIPS_PER_SHARD)
        return timed["clips"] / timed["cpu_s"]


def time_training(model: str) -> float:
    """Clips a second of the whole step on this machine's processor."""
    device = torch.device("cpu")
    step = step_only(
        Learner.for_pretraining(train_params_of(model, BATCH, False), CLASSES, Heads(), STEPS_PER_EPOCH, device)
    )
    step()
    return BATCH / Timer(device)(step, 2)


def weigh_driver(recordings: int = DRIVER_RECORDINGS) -> tuple[float, float]:
    """`weighed` in a process of its own, whose memory no other work has been in."""
    program = f"import sys; sys.path[:] = {sys.path!r}; import {__name__} as it; print(*it.weighed({recordings}))"
    printed = subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.PIPE, text=True).stdout
    used_bytes, used_s = map(float, printed.split())
    return used_bytes, used_s


def weighed(recordings: int) -> tuple[float, float]:
    """Memory and time that the driver takes a recording: the listing, the jobs of `clip`, and their fingerprints."""
    jobs_of(1)  # what is imported once does not count
    process = psutil.Process()
    before_bytes, before_s = process.memory_full_info().uss, cpu_s()
    jobs = jobs_of(recordings)
    marks = {key: fingerprint(job) for key, job in jobs.items()}
    used_bytes, used_s = process.memory_full_info().uss - before_bytes, cpu_s() - before_s
    return used_bytes / recordings, used_s / max(len(marks), recordings)


def jobs_of(recordings: int) -> ShardJobs:
    """The jobs of `clip` over recordings of five minutes in an object store."""
    names = [f"{number // 1000:04}/{number:08}.mp4" for number in range(recordings)]
    files = {
        name: FileRef(name, f"{STORE}/{name}", 10_000_000, 1, hashlib.md5(name.encode()).hexdigest()) for name in names
    }
    videos = pd.DataFrame(
        {
            "video_id": [hashlib.sha256(name.encode()).hexdigest()[:32] for name in names],
            "uri": names,
            "size_bytes": 10_000_000,
            "duration_s": 300.0,
            "channels": 1,
            "video_track": 0,
            "audio_track": "1",
            "channel_use": "1*c0",
        }
    )
    return clip_videos(videos, Folder(STORE, files), shipped_clip_params(), IngestParams())


def shipped_clip_params(env: str = "paper") -> ClipParams:
    """Of an env."""
    return ClipParams.model_validate(loader(env, {})["parameters"]["clip"])


def loader(env: str, places: dict[str, str]) -> OmegaConfigLoader:
    """The configuration that a run in an env has."""
    usual: dict[str, Any] = dict(CONFIG_LOADER_ARGS)
    return OmegaConfigLoader(str(CONF), env=env, runtime_params=places, **usual)
