"""A small corpus of labelled clips: two shards, three recordings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from tests.fakes import MemoryShard
from tests.teachers.fixtures import jpeg
from xmodal_kedro.schemas import CLIPS_ARROW, LABELS_ARROW

V0, V1, V2 = (digit * 32 for digit in "01f")
VIDEOS = pd.DataFrame({"video_id": [V0, V1, V2], "uri": ["trip/0001.mp4", "b, c.mp4", "über/3.wav"]})
NAMES = ("Bark", "Child speech, kid speaking", "rain")
VOCABULARY = pd.DataFrame({"index": [2, 0, 1], "name": [NAMES[2], NAMES[0], NAMES[1]]})
KEYS = ("shard-0", "shard-1")
ROWS = [
    # shard, video, start_s, end_s, split, targets, weights, frames
    ("shard-0", V0, 0.0, 4.0, "train", [0, 2], [1.0, 0.5], 2),
    ("shard-0", V0, 4.0, 7.5, "train", [2], [0.25], 1),
    ("shard-0", V0, 20.0, 23.0, "train", [], [], 0),
    ("shard-0", V1, 1.0, 5.0, "validation", [1], [1.0], 1),
    ("shard-1", V2, 0.0, 4.321, "train", [2, 0], [1.0, 1.0], 0),
]


LICENCES = {"trip/0001.mp4": "CC BY 4.0", "elsewhere.wav": "CC0"}


def audio(number: int) -> bytes:
    """Noise as long as a clip, another in each, at full scale."""
    _, _, start_s, end_s, *_ = ROWS[number]
    noise = np.random.default_rng(number).integers(-(2**15), 2**15, round((end_s - start_s) * 16_000))
    return noise.astype("<i2").tobytes()


def frames(number: int) -> list[bytes]:
    return [jpeg(40 * number, 10 * at, 0) for at in range(ROWS[number][-1])]


def clips() -> dict[str, MemoryShard]:
    rows: dict[str, list[dict[str, Any]]] = {key: [] for key in KEYS}
    for number, (key, video_id, start_s, end_s, *_) in enumerate(ROWS):
        row = {"clip_id": f"clip{number}", "video_id": video_id, "start_s": start_s, "end_s": end_s}
        pictures = {"frames": frames(number), "frame_times_s": [start_s] * len(frames(number)), "still_picture": False}
        rows[key].append(row | pictures | {"audio": audio(number), "audio_rms_dbfs": -5.0})
    return {key: MemoryShard(pa.Table.from_pylist(of_it, CLIPS_ARROW), 2) for key, of_it in rows.items()}


def labels() -> dict[str, MemoryShard]:
    rows: dict[str, list[dict[str, Any]]] = {key: [] for key in KEYS}
    for number, (key, video_id, _, _, split, targets, weights, _) in enumerate(ROWS):
        row = {"clip_id": f"clip{number}", "video_id": video_id, "split": split}
        rows[key].append(row | {"targets": targets, "weights": weights})
    return {key: MemoryShard(pa.Table.from_pylist(of_it, LABELS_ARROW)) for key, of_it in rows.items()}
