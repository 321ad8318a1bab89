"""Growing, shrinking and changing corpora, and runs that are killed: what is done stays done, and nothing differs."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
import uuid
import wave
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest

from tests.fakes import folder_of
from tests.growth import LIMIT_S, ingest_and_clip, run_in_small_shards
from tests.media.synthetic import write_media
from tests.project import PROJECT
from xmodal_kedro.datasets.fingerprint import fingerprint
from xmodal_kedro.params import ClipParams, IngestParams
from xmodal_kedro.pipelines.clip.nodes import clip_videos
from xmodal_kedro.pipelines.ingest.nodes import probe_sources
from xmodal_kedro.storage import Folder, ShardJobs

RUN_MARK = "XMODAL_TEST_RUN"
FEW = 4
"""Shards that one file may touch: its own, or those that its own splits into, and the one that goes by that."""


def write_recording(path: Path, seed: int) -> None:
    """3.2 s of noise, 8 kHz, 8 bits, the first of it its own."""
    noise = np.random.default_rng(0).integers(64, 192, 25_600, dtype=np.uint8)
    noise[:8] = np.frombuffer(seed.to_bytes(8, "little"), np.uint8)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(8000)
        file.writeframes(noise.tobytes())


def state(folder: Path) -> dict[str, tuple[int, int]]:
    """Inode and time of modification of every shard."""
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in folder.rglob("shard-*.parquet")
    }


def touched(before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]], part: str) -> int:
    """Shards of a dataset that were written, or removed."""
    return sum(before.get(name) != after.get(name) for name in before.keys() | after.keys() if name.startswith(part))


def test_a_file_more_less_or_other_among_a_thousand_touches_few_shards(tmp_path: Path) -> None:
    sources, data = tmp_path / "sources", tmp_path / "data"
    sources.mkdir()
    for number in range(1000):
        write_recording(sources / f"{number:04d}.wav", number)

    def run() -> tuple[dict[str, int], dict[str, tuple[int, int]]]:
        ingest = IngestParams(shard_sources=32, timeout_s=LIMIT_S)
        clip = ClipParams(shard_mb=3.2, timeout_s=LIMIT_S)
        counts = ingest_and_clip(folder_of(sources), data, ingest, clip, {"backend": "threading", "workers": 1})
        return counts, state(data)

    counts, before = run()
    assert counts == {"videos": 1000, "rejected": 0, "unclipped": 0, "cut_short": 0}
    assert sum(name.startswith("probes") for name in before) > 25
    assert sum(name.startswith("clips") for name in before) > 25

    write_recording(sources / "new.wav", 1_000_000)
    counts, grown = run()
    assert counts["videos"] == 1001
    assert 1 <= touched(before, grown, "probes") <= FEW
    assert 1 <= touched(before, grown, "clips") <= FEW

    (sources / "0500.wav").unlink()
    counts, shrunk = run()
    assert counts["videos"] == 1000
    assert 1 <= touched(grown, shrunk, "probes") <= FEW
    assert 1 <= touched(grown, shrunk, "clips") <= FEW

    write_recording(sources / "0700.wav", 2_000_000)
    counts, changed = run()
    assert counts["videos"] == 1000
    assert 1 <= touched(shrunk, changed, "probes") <= FEW
    assert 1 <= touched(shrunk, changed, "clips") <= 2 * FEW  # where its old content was, and where its new one is


def marks(jobs: ShardJobs) -> dict[str, str]:
    return {key: fingerprint(job) for key, job in jobs.items()}


def test_the_order_in_which_sources_are_listed_does_not_matter(tmp_path: Path) -> None:
    for number in range(200):
        (tmp_path / f"{number}.wav").write_bytes(bytes(number))
    files = list(folder_of(tmp_path).items())
    rows = [
        {"video_id": hashlib.sha256(name.encode()).hexdigest()[:32], "uri": name, "size_bytes": file.size_bytes}
        for name, file in files
    ]
    videos = pd.DataFrame(rows).assign(duration_s=60.0, channels=1, video_track=-1, audio_track="0", channel_use="1*c0")
    listed = [marks(probe_sources(Folder("", dict(files)), IngestParams(shard_sources=16)))]
    clipped = [marks(clip_videos(videos, Folder("", dict(files)), ClipParams(shard_mb=16), IngestParams()))]

    random.Random(0).shuffle(files)
    shuffled = videos.sample(frac=1.0, random_state=0)

    listed.append(marks(probe_sources(Folder("", dict(files)), IngestParams(shard_sources=16))))
    clipped.append(marks(clip_videos(shuffled, Folder("", dict(files)), ClipParams(shard_mb=16), IngestParams())))
    assert listed[0] == listed[1] and len(listed[0]) > 10
    assert clipped[0] == clipped[1] and len(clipped[0]) > 10


class Run:
    """A run in its own process, whose workers and decoders can be distinguished from all other processes.

    One worker is that process itself; more are processes below it.
    """

    def __init__(self, sources: Path, data: Path, workers: int = 1) -> None:
        self._mark, self._data = uuid.uuid4().hex, data
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.growth", str(sources), str(data), str(workers)],
            cwd=PROJECT,
            env=os.environ | {RUN_MARK: self._mark},
            start_new_session=True,
            stderr=subprocess.DEVNULL,
        )

    def wait_for_shards(self, count: int) -> None:
        """Until so many are stored, or all."""
        while len(state(self._data)) < count and self.process.poll() is None:
            time.sleep(0.002)

    def kill(self, whole_group: bool) -> None:
        if whole_group:
            os.killpg(self.process.pid, signal.SIGKILL)
        else:
            self.process.kill()
        self.process.wait()

    def survivors(self, patience_s: float = 10.0) -> list[str]:
        """Command lines of the run's processes that are still there after a while."""
        deadline = time.monotonic() + patience_s
        while (found := [*self._alive()]) and time.monotonic() < deadline:
            time.sleep(0.05)
        return found

    def _alive(self) -> list[str]:
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get(RUN_MARK) == self._mark and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(" ".join(process.cmdline()))
            except psutil.Error:
                continue
        return found


def stored_bytes(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Videos, a broken one and a file that is none."""
    folder = tmp_path_factory.mktemp("corpus")
    for number in range(10):
        write_media(folder / f"{number}.mkv", duration_s=6.0 + number / 2)
    whole = write_media(folder / "short.mp4", duration_s=1.0).read_bytes()
    (folder / "broken.mp4").write_bytes(whole[: len(whole) // 2])
    (folder / "notes.txt").write_text("no video")
    return folder


def test_a_run_killed_at_any_moments_ends_with_the_bytes_of_one_never_killed(corpus: Path, tmp_path: Path) -> None:
    data, moments = tmp_path / "data", random.Random(3)
    finished: dict[str, tuple[int, int]] = {}
    for workers, whole_group in ((1, True), (2, False), (1, False)):
        run = Run(corpus, data, workers)
        run.wait_for_shards(len(finished) + moments.randint(0, 3))
        time.sleep(moments.uniform(0, 0.3))
        run.kill(whole_group)
        assert not run.survivors()
        left = state(data)
        assert {name: left[name] for name in finished} == finished
        finished = left
    assert finished, "no shard was finished before a kill: nothing was shown"

    run_in_small_shards(corpus, data, workers=1)
    run_in_small_shards(corpus, tmp_path / "unbroken", workers=1)
    assert {name: kept for name, kept in state(data).items() if name in finished} == finished
    assert stored_bytes(data) == stored_bytes(tmp_path / "unbroken")
