"""Two shards of four clips, what two teachers say of them, and what merging reports: all can be worked out by hand.

shard  clip  seen             heard            targets
a      a-0   dog .9, cat .2   Bark .8          dog, Bark   (they support each other)
a      a-1   cat .7           Music .6         cat, Music  (they do not)
b      b-0   (no picture)     Music .9         Music
b      b-1   dog .3           (no score)       -           (dog is below the threshold of .4)
"""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pyarrow as pa

from tests.fakes import MemoryShard
from tests.teachers.fixtures import clips_shard, jpeg, labels_shard, tone
from xmodal_kedro.labels.summary import LabelSummary, summarise
from xmodal_kedro.params import MergeParams
from xmodal_kedro.reports.labels.clip_views import LabelledClips
from xmodal_kedro.schemas import LABEL_COUNTS_ARROW, LABELS_ARROW

CANDIDATES = ["Bark", "Music", "cat", "dog"]
PARAMS = MergeParams.model_validate(
    {
        "visual": {"threshold": 0.4, "top_k": 2},
        "audio": {"threshold": 0.4, "top_k": 2},
        "agreement": {"min_videos": 1},
        "min_clips": 1,
    }
)
NAMES = ("clip_id", "video_id", "frames", "audio")


def clips() -> dict[str, MemoryShard]:
    red, blue = [jpeg(200, 0, 0)], [jpeg(0, 0, 200), jpeg(0, 0, 100)]
    rows = {
        "a": [("a-0", "v-a", red, tone(440)), ("a-1", "v-a", blue, tone(880))],
        "b": [("b-0", "v-b", [], tone(1760)), ("b-1", "v-b", red, tone(3520))],
    }
    return {key: clips_shard([dict(zip(NAMES, row, strict=True)) for row in of_it]) for key, of_it in rows.items()}


def visual_labels() -> dict[str, MemoryShard]:
    return {
        "a": labels_shard([("a-0", "dog", 0.9), ("a-0", "cat", 0.2), ("a-1", "cat", 0.7)], clips=2),
        "b": labels_shard([("b-1", "dog", 0.3)], clips=2),
    }


def audio_labels() -> dict[str, MemoryShard]:
    return {
        "a": labels_shard([("a-0", "Bark", 0.8), ("a-1", "Music", 0.6)], clips=2),
        "b": labels_shard([("b-0", "Music", 0.9)], clips=2),
    }


def labels(order: str = "ab") -> dict[str, MemoryShard]:
    targets = {"a": [("a-0", "v-a", [0, 3]), ("a-1", "v-a", [1, 2])], "b": [("b-0", "v-b", [1]), ("b-1", "v-b", [])]}
    return {key: _labels_shard(targets[key], REVIEWS[key]) for key in order}


def _labels_shard(targets: list[tuple[str, str, list[int]]], review: dict[str, Any]) -> MemoryShard:
    rows = [
        {"clip_id": clip_id, "video_id": video_id, "split": "train", "targets": found, "weights": [1.0] * len(found)}
        for clip_id, video_id, found in targets
    ]
    targeted = sum(bool(found) for _, _, found in targets)
    metadata = {"clips": str(len(rows)), "targeted": str(targeted), "review": json.dumps(review)}
    return MemoryShard(pa.Table.from_pylist(rows, schema=LABELS_ARROW).replace_schema_metadata(metadata))


def _stages(stored: int, rest: int) -> dict[str, int]:
    later = ("over_threshold", "candidate", "under_rate", "agreed", "in_vocabulary", "kept")
    return {"stored": stored, **dict.fromkeys(later, rest)}


REVIEWS: dict[str, dict[str, Any]] = {
    "a": {
        "funnel": {"visual": _stages(3, 2), "audio": _stages(2, 2)},
        "left": _stages(2, 2),
        "both": 2,
        "agreeing": 1,
        "entropy": {"visual": [0.5, 2], "audio": [0.0, 2]},
        "best": {"visual": [1.6, 2], "audio": [1.4, 2]},
        "supported": {"visual": {"3": [1, 1], "2": [0, 1]}, "audio": {"0": [1, 1], "1": [0, 1]}},
        "random": [[0.4, "a-1"], [0.9, "a-0"]],
        "contradictory": [[0.6, "a-1"], [0.0, "a-0"]],
    },
    "b": {
        "funnel": {"visual": _stages(1, 0), "audio": _stages(1, 1)},
        "left": _stages(2, 1),
        "both": 0,
        "agreeing": 0,
        "entropy": {"visual": [0.0, 1], "audio": [0.0, 1]},
        "best": {"visual": [0.3, 1], "audio": [0.9, 1]},
        "supported": {"visual": {}, "audio": {"1": [0, 1]}},
        "random": [[0.1, "b-1"], [0.7, "b-0"]],
        "contradictory": [],
    },
}


def summary() -> LabelSummary:
    return summarise(labels(), visual_labels(), audio_labels())


def vocabulary() -> pd.DataFrame:
    rows = [("Bark", "audio", 1), ("Music", "audio", 2), ("cat", "visual", 1), ("dog", "visual", 1)]
    table = pd.DataFrame(rows, columns=["name", "modality", "clip_count"])
    return table.assign(index=range(4), audioset_id="", parents="")


def candidates() -> pd.DataFrame:
    return pd.DataFrame({"index": range(4), "name": CANDIDATES})


def survey() -> dict[str, MemoryShard]:
    """Bins of 1/4096: .9 of dog, .7 of cat, .8 of Bark, .6 and .9 of Music."""
    rows = [
        ("clips", "visual", 0, 0, 4),
        ("scores", "visual", 3, 3686, 1),
        ("scores", "visual", 2, 2867, 1),
        ("scores", "audio", 0, 3276, 1),
        ("scores", "audio", 1, 2457, 1),
        ("scores", "audio", 1, 3686, 1),
        ("pair_clips", "both", 3, 0, 1),
    ]
    table = pd.DataFrame(rows, columns=LABEL_COUNTS_ARROW.names)
    return {"shard-": MemoryShard(pa.Table.from_pandas(table, LABEL_COUNTS_ARROW, preserve_index=False))}


def associations() -> pd.DataFrame:
    rows = [("dog", "Bark", 3, 0, 1, 1, 2.0, "association"), ("cat", "Music", 2, 1, 1, 1, -0.5, "")]
    columns = ["visual", "audio", "visual_index", "audio_index", "clips", "videos", "pmi", "support"]
    return pd.DataFrame(rows, columns=columns)


def thresholds() -> pd.DataFrame:
    rows = [("audio", 1, "Music", 2, 2, 0, 0.4), ("visual", 3, "dog", 9, 1, 3600, 0.879)]
    return pd.DataFrame(rows, columns=["modality", "index", "name", "clips", "kept_clips", "cut", "threshold"])


def dropped() -> pd.DataFrame:
    rows = [("<chair>", "visual", 7, 0, "silent"), ("Speech", "audio", 1, 1, "too_few_clips")]
    return pd.DataFrame(rows, columns=["name", "modality", "clip_count", "target_count", "reason"])


def videos() -> pd.DataFrame:
    return pd.DataFrame({"video_id": ["v-a", "v-b"], "uri": ["trip/0001.mp4", "<b> & co.mkv"]})


def labelled_clips() -> LabelledClips:
    return LabelledClips(clips(), visual_labels(), audio_labels(), labels(), vocabulary(), videos(), PARAMS)
