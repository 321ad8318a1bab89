"""What became of a shard's labels on their way to targets, told in the metadata of the targets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xmodal_kedro.labels.class_map import Indices
from xmodal_kedro.labels.plan import MODALITIES, ClipTargets, MergePlan
from xmodal_kedro.labels.selection import Selected, ShardClips, StoredLabels, is_among

EXAMPLES = 12
"""Clips of a shard that are named for the contact sheet: of each kind."""
DRAWS = 1 << 32
STAGES = ("stored", "over_threshold", "candidate", "under_rate", "agreed", "in_vocabulary", "kept")
"""What labels pass on their way to a target: see `MergeReport.summary`."""


class MergeReport:
    """Sums over one shard; those of several shards add up.

    What supports what is the corpus' own: a shard whose targets do not depend on it keeps what was known when it was
    made.

    Args:
        clips: of the shard.
        plan: what makes targets of labels.
        is_class: which candidates are in the vocabulary [candidates].
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
        """Labels of one modality: as stored, the best over the threshold, as candidates, and under their rates."""
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
        """Labels under their rates, which of them are supported, and those that the rule lets through."""
        self._passed = passed
        may_be_target = ~(self._plan.params.drop_silent & self._plan.classes.silent)
        for modality, found in passed.items():
            self._count(modality, "agreed", found.clip[may_be_target[found.index]])
            self._count(modality, "in_vocabulary", found.clip[self._is_class[found.index]])
        self._summary |= {"both": 0, "agreeing": 0, "contradictory": []}
        if len(labels) == len(MODALITIES):
            self._compare(labels, is_supported)

    def _count(self, modality: str, stage: str, clip: Indices) -> None:
        """Labels of these clips are left."""
        self._summary["funnel"].setdefault(modality, {})[stage] = len(clip)
        self._is_left[stage][clip] = True

    def _compare(self, labels: Mapping[str, Selected], is_supported: Mapping[str, NDArray[np.bool_]]) -> None:
        count, classes = len(self._clips), len(self._plan.classes)
        best, has = {}, {}
        for modality, found in labels.items():
            best[modality], has[modality] = np.zeros(count, np.float32), np.zeros(count, bool)
            np.maximum.at(best[modality], found.clip, found.score)
            has[modality][found.clip] = True
            clips = np.bincount(found.index, minlength=classes)
            agreeing = np.bincount(found.index[is_supported[modality]], minlength=classes)
            at = np.flatnonzero(clips)
            self._summary["supported"][modality] = {
                str(index): [supported, of]
                for index, supported, of in zip(at.tolist(), agreeing[at].tolist(), clips[at].tolist(), strict=True)
            }
        weaker = np.minimum(best["visual"], best["audio"])
        is_agreed = np.zeros(count, bool)
        is_agreed[labels["visual"].clip[is_supported["visual"]]] = True
        self._summary["both"] = int((has["visual"] & has["audio"]).sum())
        self._summary["agreeing"] = int(is_agreed.sum())
        contradiction = np.where(is_agreed, 0, weaker)
        order = self._one_a_video(np.lexsort((self._clips.draw, -contradiction)))
        self._summary["contradictory"] = [
            [float(contradiction[at]), str(self._clips.clip_ids[at])] for at in order.tolist() if contradiction[at] > 0
        ]

    def _one_a_video(self, order: Indices) -> Indices:
        """The first `EXAMPLES` clips of an order, of different videos."""
        video = self._clips.videos.indices.to_numpy()
        _, first = np.unique(video[order], return_index=True)
        return order[np.sort(first)[:EXAMPLES]]

    def add_targets(self, targets: ClipTargets) -> None:
        """ClipTargets in the vocabulary and under the cap."""
        found = targets.selected
        classes = len(self._plan.classes)
        for modality, labels in self._passed.items():
            kept = is_among(labels.clip * classes + labels.index, found.clip * classes + found.index)
            self._count(modality, "kept", labels.clip[kept])
        # Parents that children imply may be classes where those are not.
        for stage in ("in_vocabulary", "kept"):
            self._is_left[stage][found.clip] = True
        self._summary["left"] = {stage: int(is_left.sum()) for stage, is_left in self._is_left.items()}
        order = np.argsort(self._clips.draw, kind="stable")[:EXAMPLES]
        self._summary["random"] = [
            [float(self._clips.draw[at] / DRAWS), str(self._clips.clip_ids[at])] for at in order.tolist()
        ]

    def summary(self) -> dict[str, Any]:
        """What was added, as JSON can hold it:

        - `funnel`: by modality, labels that are `stored`, `over_threshold` and among the best, of a class that may be
          a target (`candidate`), `under_rate`, `agreed`, `in_vocabulary`, and `kept` under the cap;
        - `left`: clips with a label of any modality, by the same stages;
        - `entropy`, `best`: by modality, sums over its labelled clips of the entropy of their stored scores, bits, and
          of their best score, and the number of those clips;
        - `both`, `agreeing`: clips with labels of both modalities under their rates, and those of them in which one
          supports another;
        - `supported`: by modality and candidate, clips in which it is supported, and clips;
        - `random`, `contradictory`: clips for a contact sheet, with a number in 0..1 by which those of several shards
          are put in order: a draw, and the lesser of both modalities' best scores where nothing agrees.
        """
        return self._summary


def _entropy(stored: StoredLabels) -> float:
    """Sum over clips of the entropy of their scores, normalised to one, in bits."""
    score = stored.score.astype(np.float64)
    total = np.bincount(stored.clip, score)
    share = np.divide(score, total[stored.clip], out=np.zeros_like(score), where=score > 0)
    bits = -share[share > 0] * np.log2(share[share > 0])
    return float(bits.sum())
