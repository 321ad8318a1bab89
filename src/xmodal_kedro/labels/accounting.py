"""How many labels of a shard pass each step of merging, as stored in the metadata of its targets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xmodal_kedro.labels.class_map import Indices
from xmodal_kedro.labels.plan import MODALITIES, ClipTargets, MergePlan
from xmodal_kedro.labels.selection import Selected, ShardClips, StoredLabels, is_among

EXAMPLES = 12
"""Clips of each kind that a shard names for the contact sheet."""
DRAWS = 1 << 32
STAGES = ("stored", "over_threshold", "candidate", "under_rate", "agreed", "in_vocabulary", "kept")
"""The steps from a stored label to a target: see `MergeReport.summary`."""


class MergeReport:
    """Sums over one shard; the sums of several shards can be added.

    Which classes support each other depends on the whole corpus. A shard whose targets do not depend on that keeps the
    support that was known when the shard was made.

    Args:
        clips: of the shard.
        plan: turns labels into targets.
        is_class: whether each candidate is in the vocabulary [candidates].
    """

    def __init__(self, clips: ShardClips, plan: MergePlan, is_class: NDArray[np.bool_]) -> None:
        self._clips = clips
        self._plan = plan
        self._is_class = is_class
        self._passed: Mapping[str, Selected] = {}
        self._is_left = {stage: np.zeros(len(clips), bool) for stage in STAGES}
        self._summary: dict[str, Any] = {"funnel": {}, "entropy": {}, "best": {}, "supported": {}}

    def add_labels(
        self, modality: str, stored: StoredLabels, best: StoredLabels, matched: Selected, under_rate: Selected
    ) -> None:
        """Add one modality's labels: as stored, the best over the threshold, as candidates, and under their rates."""
        may_be_target = ~(self._plan.params.drop_silent & self._plan.classes.silent)
        self._count(modality, "stored", stored.clip)
        self._count(modality, "over_threshold", best.clip)
        self._count(modality, "candidate", matched.clip[may_be_target[matched.index]])
        self._count(modality, "under_rate", under_rate.clip[may_be_target[under_rate.index]])
        labelled = np.zeros(len(self._clips), bool)
        labelled[stored.clip] = True
        self._summary["entropy"][modality] = [_entropy(stored), int(labelled.sum())]
        strongest = np.zeros(len(self._clips), np.float32)
        np.maximum.at(strongest, stored.clip, stored.score)
        self._summary["best"][modality] = [float(strongest.sum(dtype=np.float64)), int(labelled.sum())]

    def add_agreement(
        self,
        labels: Mapping[str, Selected],
        is_supported: Mapping[str, NDArray[np.bool_]],
        passed: Mapping[str, Selected],
    ) -> None:
        """Add the labels under their rates, which of them are supported, and those that the rule accepts."""
        self._passed = passed
        may_be_target = ~(self._plan.params.drop_silent & self._plan.classes.silent)
        for modality, accepted in passed.items():
            self._count(modality, "agreed", accepted.clip[may_be_target[accepted.index]])
            self._count(modality, "in_vocabulary", accepted.clip[self._is_class[accepted.index]])
        self._summary |= {"both": 0, "agreeing": 0, "contradictory": []}
        if len(labels) == len(MODALITIES):
            self._compare(labels, is_supported)

    def _count(self, modality: str, stage: str, clip: Indices) -> None:
        """Record the clips whose labels pass a stage, one entry per label."""
        self._summary["funnel"].setdefault(modality, {})[stage] = len(clip)
        self._is_left[stage][clip] = True

    def _compare(self, labels: Mapping[str, Selected], is_supported: Mapping[str, NDArray[np.bool_]]) -> None:
        count, classes = len(self._clips), len(self._plan.classes)
        best, has = {}, {}
        for modality, selected in labels.items():
            best[modality], has[modality] = np.zeros(count, np.float32), np.zeros(count, bool)
            np.maximum.at(best[modality], selected.clip, selected.score)
            has[modality][selected.clip] = True
            clips = np.bincount(selected.index, minlength=classes)
            agreeing = np.bincount(selected.index[is_supported[modality]], minlength=classes)
            has_clips = np.flatnonzero(clips)
            counts = zip(agreeing[has_clips].tolist(), clips[has_clips].tolist(), strict=True)
            self._summary["supported"][modality] = dict(
                zip(map(str, has_clips.tolist()), map(list, counts), strict=True)
            )
        weaker = np.minimum(best["visual"], best["audio"])
        is_agreed = np.zeros(count, bool)
        is_agreed[labels["visual"].clip[is_supported["visual"]]] = True
        self._summary["both"] = int((has["visual"] & has["audio"]).sum())
        self._summary["agreeing"] = int(is_agreed.sum())
        contradiction = np.where(is_agreed, 0, weaker)
        order = self._one_per_video(np.lexsort((self._clips.draw, -contradiction)))
        self._summary["contradictory"] = [
            [float(contradiction[clip]), str(self._clips.clip_ids[clip])]
            for clip in order.tolist()
            if contradiction[clip] > 0
        ]

    def _one_per_video(self, order: Indices) -> Indices:
        """The first `EXAMPLES` clips of an order that belong to different videos."""
        video = self._clips.videos.indices.to_numpy()
        _, first = np.unique(video[order], return_index=True)
        return order[np.sort(first)[:EXAMPLES]]

    def add_targets(self, targets: ClipTargets) -> None:
        """Add the targets in the vocabulary and under the cap."""
        selected = targets.selected
        classes = len(self._plan.classes)
        for modality, labels in self._passed.items():
            kept = is_among(labels.clip * classes + labels.index, selected.clip * classes + selected.index)
            self._count(modality, "kept", labels.clip[kept])
        # A parent that a child implies may be a class where the child is not.
        for stage in ("in_vocabulary", "kept"):
            self._is_left[stage][selected.clip] = True
        self._summary["left"] = {stage: int(is_left.sum()) for stage, is_left in self._is_left.items()}
        order = np.argsort(self._clips.draw, kind="stable")[:EXAMPLES]
        self._summary["random"] = [
            [float(self._clips.draw[clip] / DRAWS), str(self._clips.clip_ids[clip])] for clip in order.tolist()
        ]

    def summary(self) -> dict[str, Any]:
        """All sums, JSON-able:

        - `funnel`: by modality, the number of labels that are `stored`, `over_threshold` and among the best, of a class
          that may be a target (`candidate`), `under_rate`, `agreed`, `in_vocabulary`, and `kept` under the cap;
        - `left`: clips with a label of any modality, by the same stages;
        - `entropy`, `best`: by modality, the entropy of the stored scores in bits and the best score, each summed over
          the labelled clips, with the number of those clips;
        - `both`, `agreeing`: clips with labels of both modalities under their rates, and those among them in which one
          label supports another;
        - `supported`: by modality and candidate, clips in which it is supported, and all clips that have it;
        - `random`, `contradictory`: clips for a contact sheet. Each has a number in 0..1 that orders the clips of
          several shards: a random draw, or the lower of both modalities' best scores where no labels agree.
        """
        return self._summary


def _entropy(stored: StoredLabels) -> float:
    """Sum over clips of the entropy of their scores, normalised to a sum of one, in bits."""
    score = stored.score.astype(np.float64)
    total = np.bincount(stored.clip, score)
    share = np.divide(score, total[stored.clip], out=np.zeros_like(score), where=score > 0)
    bits = -share[share > 0] * np.log2(share[share > 0])
    return float(bits.sum())
