"""Sums over all merged shards, from their metadata."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any, TypedDict

from xmodal_kedro.storage import LoadShard, Shards

CLIPS_SHOWN = 12
"""Clips shown of the random sample, and of the most contradictory clips."""
FOOTERS_AT_A_TIME = 16
"""Parquet footers read in parallel: on an object store, each takes tens of milliseconds."""

Picked = list[tuple[float, str, str]]
"""Selected clips: the value they are ordered by, their `clip_id`, and the key of their shard."""


class LabelSummary(TypedDict):
    """Sums over all shards, as JSON.

    Attributes:
        clips: all clips.
        targeted: clips with a target.
        unlabelled: by modality and reason, clips without a stored label.
        funnel: by modality that the rule uses and stage of `accounting.STAGES`, labels that pass it.
        left: by stage, clips with a label of any modality.
        both: clips with selected labels of both modalities.
        agreeing: those of `both` in which one label supports another.
        entropy: by modality, the entropy of the stored scores in bits, summed over labelled clips; and their number.
        best: by modality, the best score, summed over labelled clips; and their number.
        supported: by modality and index of the candidate, clips in which a label of the other modality supports it, and
            all clips that have it.
        random: a uniform random sample of clips.
        contradictory: clips in which no label supports another, by the lower of the two modalities' best scores.
    """

    clips: int
    targeted: int
    unlabelled: dict[str, dict[str, int]]
    funnel: dict[str, dict[str, int]]
    left: dict[str, int]
    both: int
    agreeing: int
    entropy: dict[str, list[float]]
    best: dict[str, list[float]]
    supported: dict[str, dict[str, list[int]]]
    random: Picked
    contradictory: Picked


def summarise(labels: Shards, visual: Shards, audio: Shards) -> LabelSummary:
    """Add up the metadata of all shards; no rows are read.

    Args:
        labels: merged labels, whose metadata holds `clips`, `targeted` and the JSON `review`.
        visual: the visual teacher's labels, whose metadata holds the JSON `unlabelled`.
        audio: the audio teacher's.
    """
    total: dict[str, Any] = {"clips": 0, "targeted": 0}
    picked: dict[str, list[Picked]] = {"random": [], "contradictory": []}
    with ThreadPoolExecutor(FOOTERS_AT_A_TIME) as threads:
        for key, metadata in zip(labels, threads.map(_metadata, labels.values()), strict=True):
            review = json.loads(metadata["review"])
            for name, clips in picked.items():
                clips.append([(value, clip_id, key) for value, clip_id in review.pop(name)])
            total = add(total, {"clips": int(metadata["clips"]), "targeted": int(metadata["targeted"]), **review})
        total["unlabelled"] = {}
        for modality, shards in (("visual", visual), ("audio", audio)):
            for metadata in threads.map(_metadata, shards.values()):
                total["unlabelled"] = add(total["unlabelled"], {modality: json.loads(metadata["unlabelled"])})
    total["random"] = sorted(chain(*picked["random"]))[:CLIPS_SHOWN]
    contradictory = sorted(chain(*picked["contradictory"]), key=lambda clip: (-clip[0], *clip[1:]))
    total["contradictory"] = [clip for clip in contradictory if clip[0] > 0][:CLIPS_SHOWN]
    return LabelSummary(**total)  # type: ignore[typeddict-item]


def add(total: Any, more: Any) -> Any:
    """The sum of two JSON values: numbers, lists of equal length item by item, objects key by key.

    Objects are added into `total`, which is changed.
    """
    if isinstance(total, dict):
        for key, value in more.items():
            total[key] = add(total[key], value) if key in total else value
        return total
    if isinstance(total, list):
        return [add(a, b) for a, b in zip(total, more, strict=True)]
    return total + more


def modalities_of(summary: LabelSummary) -> list[str]:
    """The modalities whose labels the merge rule uses, in the order of `MODALITIES`."""
    from xmodal_kedro.labels.plan import MODALITIES  # imports numpy and pyarrow, which a command line should not load

    return [modality for modality in MODALITIES if modality in summary["funnel"]]


def labelled(summary: LabelSummary, modality: str) -> int:
    """Clips with a stored label of a modality."""
    return summary["clips"] - sum(summary["unlabelled"][modality].values())


def mean(sum_and_count: list[float]) -> float | None:
    """The mean from a sum and a count; None if the count is 0."""
    total, count = sum_and_count
    return total / count if count else None


def _metadata(shard: LoadShard) -> dict[str, str]:
    return shard.metadata
