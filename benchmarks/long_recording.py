"""Peak memory of embedding one long recording, of the driver, its workers and decoders together, by its length.

python benchmarks/long_recording.py [--minutes 2 120 600] [--folder TEMPORARY]

Recordings are WAV files of tones and noise, 16 kHz, mono. Each is embedded and stored as the pipeline `embed` does, in
a process of its own, with a small network of random weights: what memory depends on is the point, not the network. The
kernel counts the peaks (Linux), so that none is missed between two looks; what processes share counts twice. It ends
with status 1 where the longest takes over a tenth more than the shortest.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil
import torch
import yaml
from machine import describe_machine

from xmodal_kedro.datasets.files import TableDataset
from xmodal_kedro.datasets.folder import FolderDataset
from xmodal_kedro.datasets.sharded import ShardedParquetDataset
from xmodal_kedro.models import build
from xmodal_kedro.models.card import make_card
from xmodal_kedro.params import EmbedParams, TrainParams
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ
from xmodal_kedro.pipelines.embed.nodes import embed_recordings, gather_unheard, report_recordings
from xmodal_kedro.schemas.shard_checks import EachShard
from xmodal_kedro.storage import Folder

CATALOG = Path(__file__).parents[1] / "conf/base/catalog/07_model_output.yml"
MAX_GROWTH = 1.1
SAMPLE_EVERY_S = 0.05
CLASSES = ("dog", "bell", "rain")
WIDTH = 8


class Measured(NamedTuple):
    """Of one recording: its size, rows stored, and the most memory of each process, added."""

    megabytes: float
    windows: int
    peak_mb: float
    seconds: float


def write_recording(path: Path, minutes: float) -> None:
    """A WAV file of a tone for each minute, under noise."""
    rng = np.random.default_rng(0)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(CLIP_SAMPLE_RATE_HZ)
        left = round(minutes * 60 * CLIP_SAMPLE_RATE_HZ)
        while left:
            count = min(left, 60 * CLIP_SAMPLE_RATE_HZ)
            tone = np.sin(np.arange(count) * rng.uniform(0.05, 1.5))
            file.writeframes((6000 * tone + rng.normal(0, 1000, count)).astype("<i2").tobytes())
            left -= count


def embed(source: Path, made: Path) -> None:
    """The nodes of `embed`, with its datasets."""
    torch.manual_seed(0)
    train = TrainParams.model_validate({"model": "vggish_plus", "vggish_plus": {"width": WIDTH}})
    network = build("vggish_plus", len(CLASSES), train.vggish_plus).eval()
    card = make_card(network, CLASSES, train, "", {"epoch": 0, "validation_map": 0.5})
    weights = {name: weight.contiguous() for name, weight in network.state_dict().items()}
    params = EmbedParams.model_validate({"device": "cpu"})
    sources = FolderDataset(path=str(source)).load()
    embeddings = stored(made / "embeddings")
    embeddings.save({**EachShard("RecordingEmbeddings").validate(embed_recordings(sources, weights, card, {}, params))})
    TableDataset(filepath=str(made / "unheard.parquet")).save(gather_unheard(embeddings.load(), sources))
    unheard = TableDataset(filepath=str(made / "unheard.parquet")).load()
    examples = Folder(str(source), {})
    page = report_recordings(embeddings.load(), unheard, examples, sources, weights, card, params)
    (made / "report.html").write_text(page)


def stored(folder: Path) -> ShardedParquetDataset:
    """A dataset in another folder that stores embeddings as the catalog's does."""
    entry: dict[str, Any] = yaml.safe_load(CATALOG.read_text())["recording_embeddings"]
    return ShardedParquetDataset(path=str(folder), **{field: entry[field] for field in ("engine", "row_group_rows")})


def measure(minutes: float, folder: Path) -> Measured:
    """Embed a recording of so many minutes in another process, and watch that and all below it."""
    source, made = folder / "source", folder / "made"
    for each in (source, made):
        each.mkdir(parents=True)
    write_recording(source / "long.wav", minutes)
    began, peaks = time.monotonic(), dict[int, int]()
    run = subprocess.Popen([sys.executable, __file__, "--embed", str(source), str(made)])
    driver = psutil.Process(run.pid)
    while run.poll() is None:
        look(driver, peaks)
        time.sleep(SAMPLE_EVERY_S)
    if run.wait():
        raise SystemExit(run.returncode)
    windows = sum(shard.num_rows for shard in stored(made / "embeddings").load().values())
    return Measured(
        (source / "long.wav").stat().st_size / 1e6, windows, sum(peaks.values()) / 1e6, time.monotonic() - began
    )


def look(driver: psutil.Process, peaks: dict[int, int]) -> None:
    """Note the most memory (RSS) that a process and all below it have had so far, as the kernel counts it, bytes."""
    with suppress(psutil.Error, OSError):  # one has just ended
        for process in (driver, *driver.children(recursive=True)):
            stated = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
            peaks[process.pid] = 1024 * int(stated[1]) if stated else peaks.get(process.pid, 0)


def main(arguments: Sequence[str]) -> int:
    """Print a line for each length; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, nargs="+", default=[2.0, 120.0, 600.0])
    parser.add_argument("--folder", type=Path, help="for the recordings, 115 MB an hour; they are removed in the end")
    parser.add_argument("--embed", type=Path, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.embed:
        embed(*options.embed)
        return 0
    print(f"{describe_machine()}\nMost memory while a recording is embedded: driver, workers and decoders together.\n")
    found = []
    for minutes in options.minutes:
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            found.append(measure(minutes, Path(folder)))
        print(
            f"{minutes:>6g} min, {found[-1].megabytes:>7,.1f} MB: {found[-1].windows:>6,} windows, "
            f"{found[-1].peak_mb:,.0f} MB, {found[-1].seconds:,.0f} s",
            flush=True,
        )
    growth = found[-1].peak_mb / found[0].peak_mb
    print(f"\n{growth:.2f} times the memory for {options.minutes[-1] / options.minutes[0]:g} times the length")
    return int(growth > MAX_GROWTH)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
