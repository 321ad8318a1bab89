"""Strata of what teachers said, and the clips of each in the order of a random draw.

A stratum is a class, a modality and a bin of scores. The draw of a clip is a hash of its id, the modality and a seed.
So the clips of a stratum are in random order, the same in every round and however clips are divided into shards, and
the first ones of it that are answered are a simple random sample.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from xmodal_kedro.labels.class_map import ClassMap, Indices
from xmodal_kedro.labels.counts import require_same_keys
from xmodal_kedro.labels.plan import stored_labels
from xmodal_kedro.labels.selection import Selected, ShardClips, match
from xmodal_kedro.params import ReviewParams
from xmodal_kedro.recipes import recipe
from xmodal_kedro.review.classes import choose_classes
from xmodal_kedro.schemas import REVIEW_SAMPLES_ARROW
from xmodal_kedro.storage import LoadShard, ShardJobs, Shards
from xmodal_kedro.storage.cached_pickle import Shared

DRAW_BITS = 63
MIDDLE = 1 << (DRAW_BITS - 1)
"""Draws below it are of the half of clips that precision is estimated from first. Clips that are asked about for
another reason than chance are searched in the other half: were they among the next in the draw of their stratum, its
answered clips would be no random sample."""
MAX_DRAWN = 200
"""Clips of a stratum that can be asked about by chance: so many answers know a share to within 7 points."""
MAX_SEARCHED = 20
"""Clips of a stratum among which others are searched, of the upper half of draws."""


@dataclass(frozen=True)
class Strata(Shared):
    """Which strata there are.

    Attributes:
        classes: candidates and labels.
        asked: indices of the candidates that are asked about, ascending.
        score_bins: bins of equal width from score 0 to 1.
        seed: of the draw.
    """

    classes: ClassMap
    asked: tuple[int, ...]
    score_bins: int
    seed: int

    @classmethod
    def of(
        cls, candidates: pd.DataFrame, label_classes: pd.DataFrame, vocabulary: pd.DataFrame, params: ReviewParams
    ) -> Strata:
        """From `CandidateClasses`, `LabelClasses` and `LabelVocabulary`.

        Raises:
            UserError: see `choose_classes`.
        """
        classes = ClassMap.of(candidates, label_classes)
        index_of = {name: index for index, name in enumerate(classes.names)}
        asked = sorted(index_of[name] for name in choose_classes(vocabulary, classes.names, params))
        return cls(classes, tuple(asked), params.score_bins, params.random_seed)

    @cached_property
    def fingerprint(self) -> str:
        """Digest of all attributes."""
        text = repr((self.classes.fingerprint, self.asked, self.score_bins, self.seed))
        return hashlib.sha256(text.encode()).hexdigest()

    def bin_of(self, score: NDArray[np.float32]) -> Indices:
        """Bin of each score [labels]."""
        return np.searchsorted(lowest_scores(self.score_bins), score, side="right") - 1

    def draw(self, modality: str, clip_id: str) -> int:
        """Place of a clip in the random order of its stratum, 0..2**63 - 1.

        Modalities have draws of their own, else a clip at the beginning of one's order would be at that of the other's.
        """
        digest = hashlib.sha256(f"{self.seed} {modality} {clip_id}".encode()).digest()
        return int.from_bytes(digest[:8]) >> (64 - DRAW_BITS)


def sample_jobs(clips: Shards, teachers: Mapping[str, Shards], strata: Strata) -> ShardJobs:
    """One job for each shard: the first clips of its strata (`sample_shard`).

    Args:
        teachers: shards of labels by modality.

    Raises:
        UserError: naming the dataset and the shard, where clips and labels do not pair up.
    """
    require_same_keys({"clips": clips, **{f"{modality}_labels": shards for modality, shards in teachers.items()}})
    return {
        key: partial(sample_shard, key, load, {name: shards[key] for name, shards in teachers.items()}, strata)
        for key, load in clips.items()
    }


@recipe("review_samples", version=1)
def sample_shard(key: str, clips: LoadShard, teachers: Mapping[str, LoadShard], strata: Strata) -> pa.Table:
    """The clips of the lowest draws of each stratum of a shard, of all draws and of their upper half: `ReviewSamples`.

    Raises:
        UserError: naming a shard whose labels and clips are not from the same run.
    """
    shard = ShardClips.of(clips)
    rows: list[dict[str, Any]] = []
    for modality, stored in stored_labels(key, shard, teachers).items():
        labels = match(stored, strata.classes, modality)
        rows += _sampled(modality, labels.where(np.isin(labels.index, strata.asked)), shard, strata)
    return pa.Table.from_pylist(rows, schema=REVIEW_SAMPLES_ARROW)


def lowest_scores(bins: int) -> NDArray[np.float32]:
    """Lowest score of each bin, in the precision of stored scores [bins]."""
    return (np.arange(bins) / bins).astype(np.float32)


def pool_of(samples: Shards, score_bins: int) -> pd.DataFrame:
    """The clips of the lowest draws of each stratum of the corpus, of all draws and of their upper half: `ReviewPool`.

    It depends on the clips and their labels, and not on how they are divided into shards.

    Args:
        samples: output of the jobs of `sample_jobs`.
    """
    counts: defaultdict[tuple[str, str, int], list[int]] = defaultdict(lambda: [0, 0])
    drawn: defaultdict[tuple[str, str, int], list[tuple[int, str, float, str]]] = defaultdict(list)
    for key, load in samples.items():
        for row in load().to_pylist():
            stratum = (row["name"], row["modality"], row["bin"])
            counts[stratum][0] += row["clips"]
            counts[stratum][1] += row["lower_half"]
            drawn[stratum] += [(clip["draw"], clip["clip_id"], clip["score"], key) for clip in row["sample"]]
            drawn[stratum] = _first(drawn[stratum])
    rows = []
    for stratum, clips in sorted(drawn.items()):
        name, modality, bin_ = stratum
        total, lower = counts[stratum]
        below = sum(draw < MIDDLE for draw, *_ in clips)
        for place, (draw, clip_id, score, key) in enumerate(clips):
            rank = place if draw < MIDDLE else place - below + lower
            rows.append((name, modality, bin_, bin_ / score_bins, total, rank, draw >= MIDDLE, key, clip_id, score))
    columns = ["name", "modality", "bin", "low", "stratum_clips", "rank", "searched", "shard", "clip_id", "score"]
    table = pd.DataFrame(rows, columns=columns)
    kinds = dict.fromkeys(["name", "modality", "shard", "clip_id"], "str") | {"searched": "bool"}
    kinds |= dict.fromkeys(["bin", "stratum_clips", "rank"], "int64") | {"low": "float64", "score": "float64"}
    return table.astype(kinds)


def _sampled(modality: str, labels: Selected, clips: ShardClips, strata: Strata) -> list[dict[str, Any]]:
    """Rows of `ReviewSamples` of one modality, in the order of classes and bins."""
    clip_ids = clips.clip_ids.to_pylist()
    draw = {clip: strata.draw(modality, clip_ids[clip]) for clip in np.unique(labels.clip).tolist()}
    strata_clips: defaultdict[tuple[int, int], list[tuple[int, str, float]]] = defaultdict(list)
    columns = (labels.index, strata.bin_of(labels.score), labels.clip, labels.score)
    for index, bin_, clip, score in zip(*(column.tolist() for column in columns), strict=True):
        strata_clips[index, bin_].append((draw[clip], clip_ids[clip], score))
    return [
        {
            "name": strata.classes.names[index],
            "modality": modality,
            "bin": bin_,
            "clips": len(members),
            "lower_half": sum(number < MIDDLE for number, *_ in members),
            "sample": [
                {"clip_id": clip_id, "draw": number, "score": score} for number, clip_id, score in _first(members)
            ],
        }
        for (index, bin_), members in sorted(strata_clips.items())
    ]


def _first(clips: list[Any]) -> list[Any]:
    """Those of the `MAX_DRAWN` lowest draws, and the `MAX_SEARCHED` lowest of the upper half, ascending."""
    ordered = sorted(clips)
    upper = [clip for clip in ordered if clip[0] >= MIDDLE]
    return sorted({*ordered[:MAX_DRAWN], *upper[:MAX_SEARCHED]})
