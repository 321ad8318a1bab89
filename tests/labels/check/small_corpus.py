"""A small ontology with two teachers, and labels of a few clips."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import pyarrow as pa

from tests.fakes import MemoryShard
from xmodal_kedro.labels.check.meaning import Meaning
from xmodal_kedro.labels.match import match_classes
from xmodal_kedro.params import MergeParams
from xmodal_kedro.schemas import LABELS_ARROW, TEACHER_LABELS_ARROW

PARAMS = MergeParams.model_validate({"visual": {"threshold": 0.3, "top_k": 2}, "audio": {"threshold": 0.3, "top_k": 3}})

ONTOLOGY = pd.DataFrame(
    [
        ("/m/thing", "Source of sound", "", True),
        ("/m/animal", "Animal", "/m/thing", False),
        ("/m/dog", "Dog", "/m/animal", False),
        ("/m/bark", "Bark", "/m/dog", False),
        ("/m/cat", "Cat", "/m/animal", False),
        ("/m/fowl", "Chicken, rooster", "/m/animal", False),
        ("/m/rain", "Rain", "/m/thing", False),
    ],
    columns=["audioset_id", "name", "parents", "abstract"],
)
AUDIO = pd.DataFrame(
    [(name, name, key, False) for key, name in zip(ONTOLOGY["audioset_id"], ONTOLOGY["name"], strict=True)][1:],
    columns=["label", "sound", "audioset_id", "silent"],
)
VISUAL = pd.DataFrame(
    [
        ("pug", "Dog", "/m/dog", False),
        ("beagle", "Dog", "/m/dog", False),
        ("tabby", "Cat", "/m/cat", False),
        ("vase", "", "", True),
    ],
    columns=["label", "sound", "audioset_id", "silent"],
)
CANDIDATES, LABEL_CLASSES = match_classes(VISUAL, AUDIO, ONTOLOGY, PARAMS)


def meaning() -> Meaning:
    """The meaning of the two teachers' classes."""
    return Meaning(CANDIDATES, LABEL_CLASSES, ONTOLOGY)


def label_shard(rows: Sequence[tuple[str, str, float]]) -> MemoryShard:
    """A teacher's labels: clip, label, score."""
    columns = [[row[index] for row in rows] for index in range(3)]
    return MemoryShard(pa.table(columns, schema=TEACHER_LABELS_ARROW))


def target_shard(targets: dict[str, list[int]]) -> MemoryShard:
    """Hard targets by clip."""
    rows = [
        {"clip_id": clip_id, "video_id": clip_id, "split": "train", "targets": found, "weights": [1.0] * len(found)}
        for clip_id, found in targets.items()
    ]
    return MemoryShard(pa.Table.from_pylist(rows, schema=LABELS_ARROW))


def clip_truth(
    heard: dict[str, str | None], seen: dict[str, str | None] | None = None, shard: str = "shard-all"
) -> pd.DataFrame:
    """Audible and visible classes by clip."""
    rows = [(shard, clip, clip, cell, (seen or {}).get(clip)) for clip, cell in heard.items()]
    return pd.DataFrame(rows, columns=["shard", "clip_id", "video_id", "heard", "seen"])
