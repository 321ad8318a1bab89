"""Many tiny sources from a server that fails in one of a hundred calls, from ingest to labels: is anything lost?

python benchmarks/soak.py [--sources 20000] [--failing 0.01] [--folder TEMPORARY]

It runs the line twice, with a quarter of the sources and with all of them, until no shard is provisional; it ends with
status 1 where a sum does not hold, a source is lost, or the driver takes over a tenth more memory for all of them.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import wave
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import psutil
import pyarrow.parquet as pq
import yaml

PROJECT = Path(__file__).resolve().parents[1]
SECONDS, RATE_HZ = 3.2, 8000
MAX_RUNS = 5
MAX_GROWTH = 1.1
DATA_LINE = "ingest,clip,visual_label,audio_label,merge_labels"
TEACHERS = "sample.train_audio_teacher,sample.train_visual_teacher"
PROVISIONAL = "provisional, and made again by the next run"


class Soaked(NamedTuple):
    """What came of some sources."""

    sources: int
    runs: int
    failed_calls: int
    clips: int
    labelled: int
    peak_mb: float
    minutes: float


class Failing(BaseHTTPRequestHandler):
    """Gives a recording for each number, and fails at random: without an answer, with an error, or half-way."""

    failing = 0.0
    failures = 0
    draws = random.Random(0)
    lock = threading.Lock()

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def _answer(self, with_body: bool) -> None:
        with self.lock:
            fault = self.draws.choice(("reset", "error", "short")) if self.draws.random() < self.failing else ""
            Failing.failures += bool(fault)
        if fault == "reset":
            self.close_connection = True
            return
        if fault == "error":
            self.send_error(503)
            return
        content = recording(int(self.path.strip("/").partition(".")[0]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if with_body:
            self.wfile.write(content[: len(content) // 2] if fault else content)


def recording(number: int) -> bytes:
    """A WAV file of a few seconds of noise that no other number gives."""
    samples = np.random.default_rng(number).normal(0, 3000, round(SECONDS * RATE_HZ)).astype("<i2")
    packed = io.BytesIO()
    with wave.open(packed, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(samples.tobytes())
    return packed.getvalue()


@contextmanager
def server(failing: float) -> Iterator[str]:
    """Yield the server's address."""
    Failing.failing = failing
    listening = ThreadingHTTPServer(("127.0.0.1", 0), Failing)
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listening.server_port}"
    finally:
        listening.shutdown()
        listening.server_close()


def soak(count: int, address: str, conf: Path, folder: Path) -> Soaked:
    """Run the line on some sources until nothing is provisional.

    Raises:
        AssertionError: a sum does not hold.
    """
    began, failed_before = time.monotonic(), Failing.failures
    (folder / "list.csv").write_text("\n".join(["uri", *(f"{address}/{number}.wav" for number in range(count))]))
    params = f"source={folder / 'list.csv'},data_root={folder}"
    said, peak_mb, runs = PROVISIONAL, 0.0, 0
    while PROVISIONAL in said and runs < MAX_RUNS:
        said, peak = run_line(conf, params, f"--pipelines={DATA_LINE}")
        peak_mb, runs = max(peak_mb, peak), runs + 1
    clips, labelled = check_sums(count, folder)
    minutes = (time.monotonic() - began) / 60
    return Soaked(count, runs, Failing.failures - failed_before, clips, labelled, peak_mb, minutes)


def run_line(conf: Path, params: str, *options: str) -> tuple[str, float]:
    """What a run says, and the most memory that its driver took, megabytes."""
    command = [sys.executable, "-m", "xmodal_kedro", "--conf-source", str(conf), "--env", "sample"]
    with tempfile.TemporaryFile("w+") as said:
        environment = os.environ | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
        run = subprocess.Popen(
            [*command, *options, "--params", params],
            cwd=PROJECT,
            env=environment,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        driver, peak = psutil.Process(run.pid), 0
        while run.poll() is None:
            try:
                peak = max(peak, driver.memory_info().rss)
            except psutil.Error:
                break
            time.sleep(0.2)
        said.seek(0)
        text = said.read()
    assert run.wait() == 0, text[-3000:]
    return text, peak / 1e6


def check_sums(count: int, data: Path) -> tuple[int, int]:
    """The number of clips, and of labelled ones.

    Raises:
        AssertionError: a source or a clip is lost or doubled.
    """
    videos, rejected, unclipped = (
        pd.read_parquet(data / name)
        for name in (
            "02_intermediate/videos.parquet",
            "02_intermediate/rejected_videos.parquet",
            "03_primary/unclipped_videos.parquet",
        )
    )
    assert len(videos) + len(rejected) == count, f"{len(videos)} usable and {len(rejected)} rejected of {count}"
    assert not len(rejected), f"lost: {rejected[['uri', 'reason', 'detail']].head().to_string()}"
    assert not len(unclipped), f"without a clip: {unclipped.head().to_string()}"
    ids = {
        name: ids_of(data, name) for name in ("03_primary/clips", "04_feature/audio_labels", "05_model_input/labels")
    }
    clips = ids["03_primary/clips"]
    assert len(clips) == len(set(clips)) >= count
    assert set(ids["04_feature/audio_labels"]) <= set(clips)
    labelled = ids["05_model_input/labels"]
    assert len(labelled) == len(set(labelled)) and set(labelled) <= set(clips)
    return len(clips), len(labelled)


def ids_of(data: Path, name: str) -> list[str]:
    """`clip_id` of all shards of a dataset."""
    shards = sorted((data / name).glob("*.parquet"))
    return [each for shard in shards for each in pq.read_table(shard, columns=["clip_id"])["clip_id"].to_pylist()]


def make_conf(folder: Path) -> Path:
    """The configuration of the sample world; nothing is tracked."""
    conf = folder / "conf"
    shutil.copytree(PROJECT / "conf", conf, ignore=shutil.ignore_patterns("local"))
    (conf / "local").mkdir()
    off = {"tracking": {"disable_tracking": {"pipelines": ["*"]}}}
    (conf / "local" / "mlflow.yml").write_text(yaml.safe_dump(off))
    merging = {"merge_labels": {"min_clips": 1, "visual": {"threshold": 0.01}, "audio": {"threshold": 0.01}}}
    (conf / "sample" / "parameters" / "merge_labels.yml").write_text(yaml.safe_dump(merging))
    return conf


def take_named_sources(conf: Path) -> None:
    """Let the recordings be those that `source` names."""
    entries = conf / "sample" / "catalog" / "01_raw.yml"
    stated = yaml.safe_load(entries.read_text())
    entries.write_text(yaml.safe_dump({name: of for name, of in stated.items() if not name.startswith("source_")}))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what came of a quarter and of all sources; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--sources", type=int, default=20_000)
    parser.add_argument("--failing", type=float, default=0.01)
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="soak-", dir=asked.folder) as made, server(asked.failing) as address:
        folder = Path(made)
        conf = make_conf(folder)
        run_line(conf, f"data_root={folder / 'world'}", "--pipelines=sample", f"--nodes={TEACHERS}")
        take_named_sources(conf)
        results = []
        for name, count in (("quarter", asked.sources // 4), ("all", asked.sources)):
            shutil.copytree(folder / "world" / "01_raw" / "teachers", folder / name / "01_raw" / "teachers")
            results.append(soak(count, address, conf, folder / name))
            print(describe(results[-1]), flush=True)
    growth = results[1].peak_mb / results[0].peak_mb
    print(f"memory of the driver: {growth:.2f} times that of a quarter")
    return int(growth > MAX_GROWTH)


def describe(of: Soaked) -> str:
    """One line."""
    return (
        f"{of.sources:,} sources: {of.clips:,} clips, {of.labelled:,} labelled, nothing lost in {of.runs} runs with "
        f"{of.failed_calls:,} failed calls; {of.peak_mb:,.0f} MB in the driver; {of.minutes:.1f} minutes"
    )


if __name__ == "__main__":
    sys.exit(main())
