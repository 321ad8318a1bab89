"""What was heard and seen where: the labels of both teachers as one table for people."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import pandas as pd

from xmodal_kedro.exports.annotations import csv_pieces
from xmodal_kedro.params import MergeParams
from xmodal_kedro.recipes import recipe
from xmodal_kedro.storage import LoadShard, Shards

COLUMNS = ("uri", "start_s", "end_s", "modality", "label", "score", "evidence", "still_picture")
ALONE = {"visual": "seen", "audio": "heard"}
SUPPORTED = "seen and heard"


@recipe("labels_by_recording", version=2)
def labels_by_recording(
    clips: Shards,
    teachers: Mapping[str, Shards],
    videos: pd.DataFrame,
    params: MergeParams,
    supporting: Sequence[tuple[str, str]],
) -> Iterator[bytes]:
    """A CSV of the labels that count: of each clip, each teacher's best ones over the threshold.

    `evidence` is `seen and heard` where a counting label of the other teacher in the same clip supports the label, else
    `seen` or `heard`.

    Recordings of one shard are together, in order of their names, then by time, modality and score. One shard is in
    memory at a time.

    Args:
        clips: shards of `Clips`.
        teachers: shards of `TeacherLabels` by modality; a shard that a teacher has not labelled may be missing.
        videos: `video_id` and `uri` of `Videos`.
        params: `merge_labels`.
        supporting: pairs of a visual and an audio label that support each other.
    """
    pairs = frozenset(supporting)
    uris = dict(zip(videos["video_id"], videos["uri"], strict=True))
    rows = (_rows(clips[key], _of_shard(key, teachers), uris, params, pairs) for key in sorted(clips))
    return csv_pieces(COLUMNS, rows)


def _of_shard(key: str, teachers: Mapping[str, Shards]) -> dict[str, LoadShard]:
    return {modality: shards[key] for modality, shards in teachers.items() if key in shards}


def _rows(
    clips: LoadShard,
    teachers: Mapping[str, LoadShard],
    uris: Mapping[str, str],
    params: MergeParams,
    supporting: frozenset[tuple[str, str]],
) -> Iterator[tuple[Any, ...]]:
    counting: defaultdict[str, list[tuple[str, str, float]]] = defaultdict(list)
    for modality, labels in sorted(teachers.items(), reverse=True):
        limits = params.of(modality)
        table = labels().to_pandas()
        best = table[table["score"] >= limits.threshold].sort_values(["score", "label"], ascending=[False, True])
        best = best.groupby("clip_id", sort=False).head(limits.top_k)
        for clip_id, label, score in zip(best["clip_id"], best["label"], best["score"], strict=True):
            counting[clip_id].append((modality, label, score))
    spans = clips(["clip_id", "video_id", "start_s", "end_s", "still_picture"]).to_pylist()
    named = [(uris.get(span["video_id"], span["video_id"]), span["start_s"], span["end_s"], span) for span in spans]
    for uri, start_s, end_s, span in sorted(named, key=lambda row: row[:3]):
        found = counting.get(span["clip_id"], [])
        supported = _supported(found, supporting)
        for modality, label, score in found:
            evidence = SUPPORTED if (modality, label) in supported else ALONE[modality]
            yield (
                uri,
                f"{start_s:.3f}",
                f"{end_s:.3f}",
                modality,
                label,
                f"{score:.4f}",
                evidence,
                span["still_picture"],
            )


def _supported(
    labels: Sequence[tuple[str, str, float]], supporting: frozenset[tuple[str, str]]
) -> set[tuple[str, str]]:
    """Modality and label of the labels of one clip that one of the other modality supports."""
    by_modality = {modality: [label for of, label, _ in labels if of == modality] for modality in ALONE}
    pairs = supporting.intersection(product(by_modality["visual"], by_modality["audio"]))
    return {("visual", seen) for seen, _ in pairs} | {("audio", heard) for _, heard in pairs}
