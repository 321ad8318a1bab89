"""Empty recordings, and a decoder that sleeps instead of decoding, for runs of any size.

Everything else is real: a manifest lists the files, `clip_videos` distributes them over shards, its jobs open and
account for each recording, and their output is checked and stored as in the catalog.
"""

from __future__ import annotations

import csv
import hashlib
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pandas as pd
import pyarrow as pa

from xmodal_kedro.media import clip_shard
from xmodal_kedro.media.clip_rows import Account, ClipRow
from xmodal_kedro.params import ClipParams
from xmodal_kedro.pcm import CLIP_SAMPLE_RATE_HZ
from xmodal_kedro.recipes import recipe
from xmodal_kedro.storage import ShardJob

RECORDING_S = 1_500.0
"""As `clip.shard_mb` is shipped, two of these do not go into one shard: there are as many shards as recordings."""
CLIPS = 32
"""Clips of a recording, few enough that a thousand recordings fit on a disk; a real one has ten times as many."""
CLIP_S = 3.0
SPREAD = (0.5, 1.5)
"""Durations of shards vary: the shortest and the longest as multiples of the mean."""
CLIP_RMS_DBFS = -20.0
PARAMS = ClipParams()


def make_recordings(folder: Path, count: int) -> pd.DataFrame:
    """Files of one line, the manifest `manifest.csv` that names them, and the table `videos` that ingest would make."""
    folder.mkdir(parents=True)
    rows = []
    for number in range(count):
        content = f"recording {number}\n".encode()
        path = folder / f"{number:06}.stub"
        path.write_bytes(content)
        video_id = hashlib.sha256(content).hexdigest()[:32]
        rows.append({"video_id": video_id, "uri": path.name, "size_bytes": len(content), "duration_s": RECORDING_S})
    with (folder / "manifest.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["uri"], *([row["uri"]] for row in rows)])
    return pd.DataFrame(rows).assign(channels=1, video_track=0, audio_track="1", channel_use="1*c0")


@recipe("stubbed clip", version=1)
def stubbed(job: ShardJob, seconds: float, log: str) -> Iterator[pa.Table]:
    """What a job of `clip` gives, decoding replaced; how long it took is a line of a file in the folder `log`."""
    started_s = time.time()
    with mock.patch.object(clip_shard, "isolated", _Decoder(seconds)):
        yield from job()
    with Path(log, f"{os.getpid()}.csv").open("a") as stream:
        stream.write(f"{started_s},{time.time()}\n")


def work_of(log: Path) -> pd.DataFrame:
    """Start and end of each job in seconds since the epoch, and its `worker`."""
    jobs = [pd.read_csv(path, names=["started_s", "ended_s"]).assign(worker=path.stem) for path in log.iterdir()]
    return pd.concat(jobs, ignore_index=True)


class _Decoder:
    """In place of `isolated`: sleeps half to one and a half times so many seconds in all, and gives silence."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __call__(
        self, _: Any, path: str, video_id: str, *others: object, **limits: object
    ) -> Iterator[ClipRow | Account]:
        draw = random.Random(video_id)
        pause_s = self._seconds * draw.uniform(*SPREAD) / CLIPS
        audio = bytes(2 * round(CLIP_S * CLIP_SAMPLE_RATE_HZ))
        for number in range(CLIPS):
            time.sleep(pause_s)
            start_s = number * CLIP_S
            clip_id = f"{video_id}-{round(1000 * start_s):08d}"
            yield ClipRow(clip_id, video_id, start_s, start_s + CLIP_S, audio, CLIP_RMS_DBFS, [b"\xff\xd8"], [start_s])
        yield Account(silent_spans=0, unseen_spans=0, cut_short=None)
