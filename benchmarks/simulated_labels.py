"""Shards of simulated clips and of two teachers' labels, for a corpus of any size.

The corpus has videos of 4 to 10 clips, and one in 5,000 of 1 to 3 hours; a clip is of one of 200 topics, for most
clips their video's, and each topic has its own frequent classes of either modality, so that the modalities' classes
are associated. Classes follow Zipf's law. Numbers of labels and scores by rank are as of MobileNetV2 and YAMNet over
53 clips of real videos: a softmax that is the mean of two quantised ones, and independent sigmoids.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from xmodal_kedro.recipes import recipe
from xmodal_kedro.schemas import CLIPS_ARROW, TEACHER_LABELS_ARROW
from xmodal_kedro.sharding import spread
from xmodal_kedro.storage import ShardJobs

SEED = 0
SHARD_CLIPS = 2_000
"""Most clips of a shard: about as many as `conf/paper` gives."""

MIN_CLIPS, MAX_CLIPS = 4, 10
LONG_ONE_IN = 5_000
MIN_LONG_CLIPS, MAX_LONG_CLIPS = 900, 2_700
CLIP_MS = 4_000
DUPLICATE_ONE_IN = 100
"""Videos that hold the recording of another."""

TOPICS = 200
TOPIC_CLASSES = {"visual": 60, "audio": 30}
"""Classes of a topic..."""
TOPIC_SHARE = {"visual": 0.7, "audio": 0.5}
"""...that so many of its labels are of; the others are of any class."""
SAME_TOPIC_SHARE = 0.8
"""Clips of their video's topic."""

DRAWS = 16
"""Labels drawn of a clip; those that repeat are one."""
MAX_LABELS = 10
MIN_SCORE = 0.01
NO_PICTURE_SHARE = 0.01

CLASSES = {"visual": 1_000, "audio": 521}
ONTOLOGY_CLASSES = 632
CHILDREN = 6


@dataclass(frozen=True)
class TeacherTables:
    """The tables of classes that `merge_labels` matches: twice `TeacherClasses`, and `SoundOntology`."""

    visual_classes: pd.DataFrame
    audio_classes: pd.DataFrame
    sound_ontology: pd.DataFrame

    def names(self, modality: str) -> tuple[str, ...]:
        """The labels of a teacher."""
        table = {"visual": self.visual_classes, "audio": self.audio_classes}[modality]
        return tuple(table["label"].unique())


def made_up_tables() -> TeacherTables:
    """Teachers of as many classes as ImageNet-1k and YAMNet, half of the first making a sound; a tree of sounds."""
    sounds = [f"sound {number:03}" for number in range(ONTOLOGY_CLASSES)]
    ids = [f"/m/{number:03}" for number in range(ONTOLOGY_CLASSES)]
    parents = ["", *(ids[(number - 1) // CHILDREN] for number in range(1, ONTOLOGY_CLASSES))]
    ontology = pd.DataFrame({"audioset_id": ids, "name": sounds, "parents": parents, "abstract": False})
    heard = ontology[-CLASSES["audio"] :]
    audio = pd.DataFrame(
        {"label": heard["name"], "sound": heard["name"], "audioset_id": heard["audioset_id"], "silent": False}
    )
    chosen = np.random.default_rng(SEED).integers(0, len(heard), CLASSES["visual"])
    is_silent = np.arange(CLASSES["visual"]) % 2 == 1
    visual = pd.DataFrame(
        {
            "label": [f"sight {number:03}" for number in range(CLASSES["visual"])],
            "sound": np.where(is_silent, "", heard["name"].to_numpy()[chosen]),
            "audioset_id": np.where(is_silent, "", heard["audioset_id"].to_numpy()[chosen]),
            "silent": is_silent,
        }
    )
    return TeacherTables(visual, audio, ontology)


def draw_videos(clip_count: int) -> dict[str, int]:
    """Number of clips by `video_id`, of so many clips in all."""
    rng = np.random.default_rng(SEED)
    enough = clip_count // MIN_CLIPS + 1
    clips = rng.integers(MIN_CLIPS, MAX_CLIPS + 1, enough)
    is_long = rng.integers(0, LONG_ONE_IN, enough) == 0
    clips[is_long] = rng.integers(MIN_LONG_CLIPS, MAX_LONG_CLIPS + 1, int(is_long.sum()))
    last = int(np.searchsorted(clips.cumsum(), clip_count))
    clips = clips[: last + 1]
    clips[last] -= clips.sum() - clip_count
    digits = rng.bytes(16 * len(clips)).hex()
    return {digits[32 * at : 32 * at + 32]: count for at, count in enumerate(clips.tolist())}


def draw_near_duplicates(videos: Sequence[str]) -> pd.DataFrame:
    """`NearDuplicates`: pairs of videos."""
    pairs = max(1, len(videos) // DUPLICATE_ONE_IN // 2)
    found = sorted(videos[: 2 * pairs])
    groups = np.repeat(found[::2], 2)
    return pd.DataFrame(
        {"video_id": found, "group_id": groups, "uri": found, "matched_s": 4.0, "picture_distance": 0.0}
    )


def shard_jobs(videos: Mapping[str, int], tables: TeacherTables) -> dict[str, ShardJobs]:
    """Jobs that make the shards of `clips`, `visual_labels` and `audio_labels`, by dataset."""
    jobs: dict[str, ShardJobs] = {"clips": {}, "visual_labels": {}, "audio_labels": {}}
    for key, members in spread(videos, SHARD_CLIPS).items():
        counts = tuple(videos[video] for video in members)
        jobs["clips"][key] = partial(clips_shard, tuple(members), counts)
        for modality in ("visual", "audio"):
            names = tables.names(modality)
            jobs[f"{modality}_labels"][key] = partial(labels_shard, key, modality, tuple(members), counts, names)
    return jobs


@recipe("simulated clip ids", version=1)
def clips_shard(videos: Sequence[str], counts: Sequence[int]) -> pa.Table:
    """Clips; their audio and frames, which merging does not read, are empty."""
    clips = sum(counts)
    empty: dict[pa.DataType, Any] = {pa.float64(): 0.0, pa.binary(): b"", pa.bool_(): False}
    values = {"clip_id": clip_ids(videos, counts), "video_id": np.repeat(videos, counts).tolist()}
    columns = [
        pa.array(values.get(field.name, [empty.get(field.type, [])] * clips), field.type) for field in CLIPS_ARROW
    ]
    return pa.table(columns, schema=CLIPS_ARROW)


def clip_ids(videos: Sequence[str], counts: Sequence[int]) -> list[str]:
    """In the order of videos and time."""
    return [
        f"{video}-{number * CLIP_MS:08}" for video, count in zip(videos, counts, strict=True) for number in range(count)
    ]


@recipe("simulated labels", version=1)
def labels_shard(
    key: str, modality: str, videos: Sequence[str], counts: Sequence[int], names: tuple[str, ...]
) -> pa.Table:
    """`TeacherLabels` as stored by `teachers.labelling`."""
    shard = zlib.crc32(key.encode())
    topic_N = draw_topics(np.random.default_rng([SEED, shard]), np.array(counts))
    rng = np.random.default_rng([SEED, shard, len(names)])
    label_NK = draw_labels(rng, topic_N, modality, len(names))
    score_NK = draw_scores(rng, len(topic_N), modality)
    is_seen_N = (rng.random(len(topic_N)) >= NO_PICTURE_SHARE) | (modality == "audio")
    clip, rank = np.nonzero((label_NK >= 0) & (score_NK >= MIN_SCORE) & is_seen_N[:, None])
    alphabetical_C = np.argsort(np.argsort(np.array(names, object)))
    # Equal scores are ordered by name.
    order = np.lexsort((alphabetical_C[label_NK[clip, rank]], -score_NK[clip, rank], clip))
    clip, rank = clip[order], rank[order]
    labelled, unseen = len(np.unique(clip)), int((~is_seen_N).sum())
    unlabelled = {"no_picture": unseen, "below_min_score": len(topic_N) - unseen - labelled}
    found = [
        pa.array(clip_ids(videos, counts)).take(pa.array(clip)),
        pa.array(names).take(pa.array(label_NK[clip, rank])),
        score_NK[clip, rank],
    ]
    metadata = {"clips": str(len(topic_N)), "unlabelled": json.dumps(unlabelled, sort_keys=True)}
    return pa.table(found, schema=TEACHER_LABELS_ARROW).replace_schema_metadata(metadata)


def draw_topics(rng: np.random.Generator, counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Topic of each clip, of videos of so many clips; the same for both modalities [clips]."""
    of_video = np.repeat(rng.integers(0, TOPICS, len(counts)), counts)
    return np.where(rng.random(len(of_video)) < SAME_TOPIC_SHARE, of_video, rng.integers(0, TOPICS, len(of_video)))


def draw_labels(rng: np.random.Generator, topic_N: NDArray[np.int64], modality: str, classes: int) -> NDArray[np.int64]:
    """Different classes of each clip, -1 where there are no more [clips, most labels]."""
    shares_TC = topic_shares(modality, classes)
    upto_TC = np.cumsum(shares_TC, axis=1) + np.arange(TOPICS)[:, None]
    upto_TC[:, -1] = np.arange(1, TOPICS + 1)
    drawn_ND = rng.random((len(topic_N), DRAWS)) + topic_N[:, None]
    label_ND = np.searchsorted(upto_TC.ravel(), drawn_ND, side="right") - topic_N[:, None] * classes
    # Stable, so that of equal labels the first is kept.
    order_ND = np.argsort(label_ND, axis=1, kind="stable")
    is_new_ND = np.diff(np.take_along_axis(label_ND, order_ND, 1), axis=1, prepend=-1) != 0
    first_ND = np.full_like(order_ND, DRAWS)
    np.put_along_axis(first_ND, order_ND, np.where(is_new_ND, order_ND, DRAWS), 1)
    at_NK = np.sort(first_ND, axis=1)[:, :MAX_LABELS]
    padded_ND = np.pad(label_ND, ((0, 0), (0, 1)), constant_values=-1)
    return np.take_along_axis(padded_ND, at_NK, 1)


@cache
def topic_shares(modality: str, classes: int) -> NDArray[np.float64]:
    """How often each class is a label in clips of each topic [topics, classes]."""
    rng = np.random.default_rng([SEED, classes])
    zipf_C = 1 / np.arange(1, classes + 1)
    own = min(TOPIC_CLASSES[modality], classes)
    shares_TC = np.tile((1 - TOPIC_SHARE[modality]) * zipf_C / zipf_C.sum(), (TOPICS, 1))
    for topic in range(TOPICS):
        chosen = rng.choice(classes, own, replace=False)
        shares_TC[topic, chosen] += TOPIC_SHARE[modality] * zipf_C[:own] / zipf_C[:own].sum()
    return shares_TC


def draw_scores(rng: np.random.Generator, clips: int, modality: str) -> NDArray[np.float32]:
    """Scores of each clip, best first [clips, most labels]."""
    if modality == "visual":
        part_NK = np.hstack([rng.beta(1.0, 1.1, (clips, 1)), rng.beta(0.7, 2.5, (clips, MAX_LABELS - 1))])
        left_NK = np.hstack([np.ones((clips, 1)), np.cumprod(1 - part_NK, axis=1)[:, :-1]])
        score_NK: NDArray = np.round(512 * part_NK * left_NK) / 512
    else:
        part_NK = np.hstack([rng.beta(1.1, 0.8, (clips, 1)), rng.beta(2.6, 1.0, (clips, MAX_LABELS - 1))])
        score_NK = np.cumprod(part_NK, axis=1)
    return -np.sort(-score_NK, axis=1).astype(np.float32)
