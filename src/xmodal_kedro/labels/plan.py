"""What makes targets of two teachers' labels, once the corpus has been counted; and the targets of one shard."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xmodal_kedro.labels.class_map import ClassMap, Indices
from xmodal_kedro.labels.selection import (
    Selected,
    ShardClips,
    StoredLabels,
    groups,
    is_among,
    match,
    pairs,
    read_labels,
    select_best,
)
from xmodal_kedro.params import MergeParams, ModalityParams
from xmodal_kedro.storage import LoadShard, Shards
from xmodal_kedro.storage.cached_pickle import Shared

MODALITIES = ("visual", "audio")
VISUAL, AUDIO = 1, 2
"""Bits that say which modality gave a target."""


def used_teachers(visual: Shards, audio: Shards, params: MergeParams) -> dict[str, Shards]:
    """The label shards that `params.rule` asks for, by modality."""
    teachers = {"visual": visual, "audio": audio}
    return {name: shards for name, shards in teachers.items() if params.rule in ("union", "agreement", f"{name}_only")}


def is_told_by_survey(params: MergeParams) -> bool:
    """Whether targets can be counted without knowing the corpus: no agreement to learn, no rates to limit."""
    return params.rule != "agreement" and params.visual.max_rate is None and params.audio.max_rate is None


@dataclass(frozen=True)
class MergePlan(Shared):
    """All that turns the labels of a shard into targets, but for the choice of the vocabulary.

    Attributes:
        classes: candidates and labels.
        params: `merge_labels`.
        cuts: first bin that counts, by modality and candidate, for those of which the rate is limited.
        support: pairs of a visual and an audio candidate that support each other, ascending, each as one number:
            the first times the number of candidates, plus the second [pairs].
    """

    classes: ClassMap
    params: MergeParams
    cuts: Mapping[str, Mapping[int, int]]
    support: Indices

    @classmethod
    def before_the_survey(cls, classes: ClassMap, params: MergeParams) -> MergePlan:
        """Without limits of rates, and without support.

        Of the parameters, those that the survey heeds are kept: the others may change without another survey.
        """
        heeded = MergeParams(
            rule="union" if params.rule == "agreement" else params.rule,
            visual=ModalityParams(threshold=params.visual.threshold, top_k=params.visual.top_k),
            audio=ModalityParams(threshold=params.audio.threshold, top_k=params.audio.top_k),
            parents=params.parents,
            min_clips=1,
            max_clips=None if params.max_clips is None else 1,
        )
        return cls(classes, heeded, {}, np.zeros(0, np.int64))

    @classmethod
    def of(
        cls, classes: ClassMap, params: MergeParams, thresholds: pd.DataFrame, associations: pd.DataFrame
    ) -> MergePlan:
        """From `ClassThresholds` and `ClassAssociations`.

        Associations are learnt from the corpus, so they are left to the rule that needs them: under another, a shard
        and what is told of it do not depend on videos elsewhere.
        """
        limited = thresholds[thresholds["cut"] > 0]
        cuts = {
            str(modality): dict(zip(rows["index"].tolist(), rows["cut"].tolist(), strict=True))
            for modality, rows in limited.groupby("modality")
        }
        counts = {"same", "ancestor"} | ({"association"} if params.rule == "agreement" else set())
        supporting = associations[associations["support"].isin(counts)]
        support = supporting["visual_index"].to_numpy(np.int64) * len(classes) + supporting["audio_index"].to_numpy()
        return cls(classes, params, cuts, np.sort(support))

    @cached_property
    def fingerprint(self) -> str:
        """Of all that it holds."""
        text = repr(
            (
                self.classes.fingerprint,
                self.params.model_dump(include={"rule", "drop_silent", "parents"}),
                [self.params.of(modality).model_dump(include={"threshold", "top_k"}) for modality in MODALITIES],
                self.params.max_clips is not None,
                sorted((modality, sorted(cuts.items())) for modality, cuts in self.cuts.items()),
                self.support.tolist() if self.params.rule == "agreement" else self.params.agreement.ancestors,
            )
        )
        return hashlib.sha256(text.encode()).hexdigest()

    def cuts_of(self, modality: str) -> Indices:
        """First bin that counts [candidates]."""
        cuts = np.zeros(len(self.classes), np.int64)
        for index, cut in self.cuts.get(modality, {}).items():
            cuts[index] = cut
        return cuts


@dataclass(frozen=True)
class ClipTargets:
    """ClipTargets of the clips of a shard, in the order of clips and candidates.

    Attributes:
        selected: clip, candidate and score of each.
        given_by: bits `VISUAL` and `AUDIO` of the modalities that gave it [targets].
    """

    selected: Selected
    given_by: NDArray[np.uint8]

    def where(self, chosen: NDArray) -> ClipTargets:
        """Those of the targets."""
        return ClipTargets(self.selected.where(chosen), self.given_by[chosen])


def stored_labels(key: str, clips: ShardClips, teachers: Mapping[str, LoadShard]) -> dict[str, StoredLabels]:
    """The labels of a shard by modality.

    Raises:
        ValueError: naming the dataset and the shard, see `read_labels`.
    """
    return {modality: read_labels(load, clips, f"{modality}_labels {key}") for modality, load in teachers.items()}


def selected_labels(stored: Mapping[str, StoredLabels], plan: MergePlan) -> dict[str, Selected]:
    """The labels of each modality that are over its threshold and among the best of their clip.

    Raises:
        ValueError: naming a label that is no class of its teacher, see `match`.
    """
    return {
        modality: match(select_best(labels, plan.params.of(modality)), plan.classes, modality)
        for modality, labels in stored.items()
    }


def under_rate(labels: Selected, modality: str, clips: ShardClips, plan: MergePlan) -> Selected:
    """Labels whose class does not label too many clips by them."""
    if modality not in plan.cuts:
        return labels
    return labels.where(labels.bins(clips) >= plan.cuts_of(modality)[labels.index])


def supported(labels: Mapping[str, Selected], clip_count: int, plan: MergePlan) -> dict[str, NDArray[np.bool_]]:
    """Which labels a label of the other modality supports in the same clip, by modality [labels]."""
    found = {modality: np.zeros(len(selected), bool) for modality, selected in labels.items()}
    if len(labels) == len(MODALITIES):
        visual, audio = labels["visual"], labels["audio"]
        seen, heard = pairs(visual, audio, clip_count)
        is_supported = is_among(visual.index[seen] * len(plan.classes) + audio.index[heard], plan.support)
        found["visual"][seen[is_supported]] = True
        found["audio"][heard[is_supported]] = True
    return found


def agreed(
    labels: Mapping[str, Selected], is_supported: Mapping[str, NDArray[np.bool_]], plan: MergePlan
) -> dict[str, Selected]:
    """Labels that the rule lets through: for `agreement`, those that are supported; else all."""
    if plan.params.rule != "agreement":
        return dict(labels)
    return {modality: found.where(is_supported[modality]) for modality, found in labels.items()}


def targets_of(labels: Mapping[str, Selected], plan: MergePlan) -> ClipTargets:
    """Labels of all modalities as one: the better score counts, and ancestors are implied where asked for."""
    clip = np.concatenate([found.clip for found in labels.values()])
    index = np.concatenate([found.index for found in labels.values()])
    score = np.concatenate([found.score for found in labels.values()])
    bits = {"visual": VISUAL, "audio": AUDIO}
    given_by = np.concatenate([np.full(len(found), bits[name], np.uint8) for name, found in labels.items()])
    if plan.params.parents:
        above, row = plan.classes.ancestors.take(index)
        clip, index = np.concatenate([clip, clip[row]]), np.concatenate([index, above])
        score, given_by = np.concatenate([score, score[row]]), np.concatenate([given_by, given_by[row]])
    order, starts = groups(clip * len(plan.classes) + index)
    kept = order[starts]
    best = Selected(clip[kept], index[kept], np.maximum.reduceat(score[order], starts))
    return ClipTargets(best, np.bitwise_or.reduceat(given_by[order], starts))
