"""Peak memory of a worker and its decoder process while they make and store the clips of one long recording.

python benchmarks/clip_memory.py [--hours H] [--folder TEMPORARY]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psutil
import yaml
from long_files import RECORDINGS, Recording, make_long
from machine import describe_machine

from xmodal_kedro.datasets.sharded import ShardedParquetDataset
from xmodal_kedro.media.clip_rows import StreamUse
from xmodal_kedro.media.clip_shard import VideoSource, clip_shard
from xmodal_kedro.media.streams import probe_file
from xmodal_kedro.params import ClipParams, IngestParams
from xmodal_kedro.schemas.shard_checks import EachShard
from xmodal_kedro.storage import FileRef, ShardJobs

CATALOG = Path(__file__).parents[1] / "conf/base/catalog/03_primary.yml"

WORKERS = 2
"""Two workers, of which one has work: with one, joblib would work in this process."""

SAMPLE_EVERY_S = 0.05

LINE = "{:<42}{:>10}{:>7}{:>12}{:>5}{:>13}{:>5}{:>14}"


@dataclass
class Peak:
    """Peak memory of a process, bytes. PSS divides shared pages among processes, so it can be added; RSS cannot."""

    rss: int = 0
    pss: int = 0

    def look_at(self, rss: int, pss: int) -> None:
        self.rss, self.pss = max(self.rss, rss), max(self.pss, pss)


@dataclass
class Peaks:
    """Peak memory of the worker with a decoder process, of the decoder, and of both at one time."""

    worker: Peak = field(default_factory=Peak)
    decoder: Peak = field(default_factory=Peak)
    together: Peak = field(default_factory=Peak)

    def look(self) -> None:
        """Take a sample of the running processes."""
        for worker in psutil.Process().children():
            try:
                of_worker = worker.memory_full_info()
                for decoder in worker.children():
                    of_decoder = decoder.memory_full_info()
                    self.worker.look_at(of_worker.rss, of_worker.pss)
                    self.decoder.look_at(of_decoder.rss, of_decoder.pss)
                    self.together.look_at(of_worker.rss + of_decoder.rss, of_worker.pss + of_decoder.pss)
            except psutil.Error:  # it has just ended
                continue


def watch(peaks: Peaks, done: threading.Event) -> None:
    """Sample until the work is done."""
    while not done.wait(SAMPLE_EVERY_S):
        peaks.look()


def measure(recording: Recording, hours: float, folder: Path) -> tuple[Peaks, int, int]:
    """Make a long file, and a shard of its clips through the sharded dataset.

    Returns:
        Memory; the file's size, bytes; and the number of clips.
    """
    path = folder / "long.mp4"
    make_long(recording, hours * 3600, path)
    size_bytes = path.stat().st_size
    file = FileRef(path.name, str(path), size_bytes, path.stat().st_mtime_ns)
    use = StreamUse.of(next(probe_file(str(path), IngestParams())))
    source = VideoSource("0" * 32, path.name, file, size_bytes, use)
    jobs: ShardJobs = {**EachShard("Clips").validate({"shard-all": partial(clip_shard, (source,), ClipParams())})}
    clips = clips_dataset(folder / "clips")
    peaks, done = Peaks(), threading.Event()
    watcher = threading.Thread(target=watch, args=(peaks, done))
    watcher.start()
    try:
        clips.save(jobs)
    finally:
        done.set()
        watcher.join()
    (shard,) = clips.load().values()
    return peaks, size_bytes, shard.num_rows


def clips_dataset(folder: Path) -> ShardedParquetDataset:
    """A dataset in another folder that stores clips as the catalog's does."""
    entry = yaml.safe_load(CATALOG.read_text())["clips"]
    storing = {field: entry[field] for field in ("compression", "row_group_rows")}
    return ShardedParquetDataset(path=str(folder), engine={"backend": "loky", "workers": WORKERS}, **storing)


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--folder", type=Path, help="for the files, some GB an hour; they are removed in the end")
    options = parser.parse_args(arguments)
    print(f"{describe_machine()}\nMost memory while {options.hours:g} hours are clipped and stored, MB.\n")
    print(
        LINE.format("file", "its size", "clips", "worker RSS", "PSS", "decoder RSS", "PSS", "together PSS"), flush=True
    )
    for name, recording in RECORDINGS.items():
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            peaks, size_bytes, clip_count = measure(recording, options.hours, Path(folder))
        memory = [peaks.worker.rss, peaks.worker.pss, peaks.decoder.rss, peaks.decoder.pss, peaks.together.pss]
        megabytes = [round(figure / 1e6) for figure in (size_bytes, *memory)]
        print(LINE.format(name, megabytes[0], clip_count, *megabytes[1:]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
