"""The plan that turns two teachers' labels into targets, made once the corpus is counted; and a shard's targets."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xmodal_kedro.labels.class_map import ClassMap, Indices
from xmodal_kedro.labels.limits import ScoreLimits, lowered
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
"""Bits of the modalities that gave a target."""


def used_teachers(visual: Shards, audio: Shards, params: MergeParams) -> dict[str, Shards]:
    """The label shards that `params.rule` uses, by modality."""
    teachers = {"visual": visual, "audio": audio}
    return {name: shards for name, shards in teachers.items() if params.rule in ("union", "agreement", f"{name}_only")}


def is_counted_by_survey(params: MergeParams) -> bool:
    """Whether the survey already holds the counts of targets: there is no agreement to learn, no max rate and no
    precision to keep, and nothing seen on still pictures to leave out."""
    limits = (params.visual.max_rate, params.audio.max_rate, params.precision)
    looks_on = params.rule == "agreement" or params.drop_seen_on_stills
    return not looks_on and all(limit is None for limit in limits)


@dataclass(frozen=True)
class MergePlan(Shared):
    """All that turns the labels of a shard into targets, except the vocabulary.

    Attributes:
        classes: candidates and labels.
        params: `merge_labels`.
        cuts: first bin that counts, by modality and candidate, for candidates with a limited rate.
        support: pairs of a visual and an audio candidate that support each other, ascending. A pair is one number: the
            visual index times the number of candidates, plus the audio index [pairs].
        limits: lowest score that counts of classes that people have reviewed, if a precision is to be kept.
    """

    classes: ClassMap
    params: MergeParams
    cuts: Mapping[str, Mapping[int, int]]
    support: Indices
    limits: ScoreLimits = field(default_factory=dict)

    @classmethod
    def before_the_survey(cls, classes: ClassMap, params: MergeParams, limits: ScoreLimits | None = None) -> MergePlan:
        """Without limits of rates and without support.

        Only parameters that the survey depends on are kept, so others can change without another survey. Limits of
        scores above the fixed threshold are not among them.
        """
        used_params = MergeParams(
            rule="union" if params.rule == "agreement" else params.rule,
            visual=ModalityParams(threshold=params.visual.threshold, top_k=params.visual.top_k),
            audio=ModalityParams(threshold=params.audio.threshold, top_k=params.audio.top_k),
            parents=params.parents,
            min_clips=1,
            max_clips=None if params.max_clips is None else 1,
        )
        return cls(classes, used_params, {}, np.zeros(0, np.int64), lowered(limits or {}, params))

    @classmethod
    def of(
        cls,
        classes: ClassMap,
        params: MergeParams,
        thresholds: pd.DataFrame,
        associations: pd.DataFrame,
        limits: ScoreLimits | None = None,
    ) -> MergePlan:
        """From `ClassThresholds` and `ClassAssociations`.

        Associations are learnt from the corpus, so only the rule `agreement` uses them. Under other rules, a shard and
        its metadata do not depend on videos elsewhere.
        """
        limited = thresholds[thresholds["cut"] > 0]
        cuts = {
            str(modality): dict(zip(rows["index"].tolist(), rows["cut"].tolist(), strict=True))
            for modality, rows in limited.groupby("modality")
        }
        supporting_kinds = {"same", "ancestor"} | ({"association"} if params.rule == "agreement" else set())
        supporting = associations[associations["support"].isin(supporting_kinds)]
        support = supporting["visual_index"].to_numpy(np.int64) * len(classes) + supporting["audio_index"].to_numpy()
        return cls(classes, params, cuts, np.sort(support), limits or {})

    @cached_property
    def fingerprint(self) -> str:
        """Digest of everything that targets depend on."""
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
        if self.params.drop_seen_on_stills and self.params.rule != "agreement":  # which leaves that out already
            text += " without what is only seen on stills"
        if self.limits:
            text += repr(sorted((modality, sorted(scores.items())) for modality, scores in self.limits.items()))
        return hashlib.sha256(text.encode()).hexdigest()

    def cuts_of(self, modality: str) -> Indices:
        """First bin that counts of each candidate [candidates]."""
        cuts = np.zeros(len(self.classes), np.int64)
        for index, cut in self.cuts.get(modality, {}).items():
            cuts[index] = cut
        return cuts

    def limits_of(self, modality: str) -> NDArray[np.float32]:
        """Lowest score that counts of each candidate [candidates]."""
        lowest = np.full(len(self.classes), self.params.of(modality).threshold, np.float32)
        for index, score in self.limits.get(modality, {}).items():
            lowest[index] = score
        return lowest

    def floors_of(self, modality: str) -> NDArray[np.float32]:
        """Score from which labels of each candidate are counted, whether or not they become targets [candidates]."""
        return np.minimum(self.limits_of(modality), np.float32(self.params.of(modality).threshold))


@dataclass(frozen=True)
class ClipTargets:
    """Targets of the clips of a shard, in the order of clips and candidates.

    Attributes:
        selected: clip, candidate and score of each.
        given_by: bits `VISUAL` and `AUDIO` of the modalities that gave it [targets].
    """

    selected: Selected
    given_by: NDArray[np.uint8]

    def where(self, chosen: NDArray) -> ClipTargets:
        """The chosen targets."""
        return ClipTargets(self.selected.where(chosen), self.given_by[chosen])


def stored_labels(key: str, clips: ShardClips, teachers: Mapping[str, LoadShard]) -> dict[str, StoredLabels]:
    """The labels of a shard by modality.

    Raises:
        UserError: naming the dataset and the shard, see `read_labels`.
    """
    return {modality: read_labels(load, clips, f"{modality}_labels {key}") for modality, load in teachers.items()}


def selected_labels(stored: Mapping[str, StoredLabels], plan: MergePlan) -> dict[str, Selected]:
    """The labels of each modality that are over its threshold and among the top k of their clip.

    Raises:
        UserError: naming a label that is not a class of its teacher, see `match`.
    """
    return {
        modality: matched_labels(best_labels(labels, modality, plan), modality, plan)
        for modality, labels in stored.items()
    }


def best_labels(stored: StoredLabels, modality: str, plan: MergePlan) -> StoredLabels:
    """The labels of a modality that are over a threshold and among the top k of their clip.

    Raises:
        UserError: naming a label that is not a class of its teacher, see `match`.
    """
    if modality not in plan.limits:
        return select_best(stored, plan.params.of(modality))
    of_labels = plan.classes.of_labels(modality, stored.names)
    index, label = of_labels.take(np.arange(len(stored.names)))
    lowest = np.full(len(stored.names), np.inf, np.float32)
    np.minimum.at(lowest, label, plan.floors_of(modality)[index])
    return select_best(stored, plan.params.of(modality), lowest)


def matched_labels(best: StoredLabels, modality: str, plan: MergePlan) -> Selected:
    """The candidates that the best labels become, each from the score on from which it is counted.

    Raises:
        UserError: naming a label that is not a class of its teacher, see `match`.
    """
    matched = match(best, plan.classes, modality)
    if modality not in plan.limits:
        return matched
    return matched.where(matched.score >= plan.floors_of(modality)[matched.index])


def under_rate(labels: Selected, modality: str, clips: ShardClips, plan: MergePlan) -> Selected:
    """Labels that are at or above the cut of their class, which keeps the class under its max rate, and at or above its
    limit, which keeps its precision."""
    if modality in plan.limits:
        labels = labels.where(labels.score >= plan.limits_of(modality)[labels.index])
    if modality not in plan.cuts:
        return labels
    return labels.where(labels.bins(clips) >= plan.cuts_of(modality)[labels.index])


def supported(labels: Mapping[str, Selected], clip_count: int, plan: MergePlan) -> dict[str, NDArray[np.bool_]]:
    """Whether each label is supported by one of the other modality in the same clip, by modality [labels]."""
    is_supported = {modality: np.zeros(len(selected), bool) for modality, selected in labels.items()}
    if len(labels) == len(MODALITIES):
        visual, audio = labels["visual"], labels["audio"]
        visual_rows, audio_rows = pairs(visual, audio, clip_count)
        supports = is_among(visual.index[visual_rows] * len(plan.classes) + audio.index[audio_rows], plan.support)
        is_supported["visual"][visual_rows[supports]] = True
        is_supported["audio"][audio_rows[supports]] = True
    return is_supported


def agreed(
    labels: Mapping[str, Selected], is_supported: Mapping[str, NDArray[np.bool_]], clips: ShardClips, plan: MergePlan
) -> dict[str, Selected]:
    """Labels that the rule accepts: for `agreement`, those that are supported; otherwise all, if wanted but for what is
    only seen on still pictures."""
    if plan.params.rule == "agreement":
        return {modality: selected.where(is_supported[modality]) for modality, selected in labels.items()}
    accepted = dict(labels)
    if plan.params.drop_seen_on_stills and "visual" in accepted:
        seen = accepted["visual"]
        accepted["visual"] = seen.where(is_supported["visual"] | ~clips.still[seen.clip])
    return accepted


def targets_of(labels: Mapping[str, Selected], plan: MergePlan) -> ClipTargets:
    """Targets from the labels of all modalities: the higher score counts, and `params.parents` adds ancestors."""
    clip = np.concatenate([selected.clip for selected in labels.values()])
    index = np.concatenate([selected.index for selected in labels.values()])
    score = np.concatenate([selected.score for selected in labels.values()])
    bits = {"visual": VISUAL, "audio": AUDIO}
    given_by = np.concatenate([np.full(len(selected), bits[name], np.uint8) for name, selected in labels.items()])
    if plan.params.parents:
        above, row = plan.classes.ancestors.take(index)
        clip, index = np.concatenate([clip, clip[row]]), np.concatenate([index, above])
        score, given_by = np.concatenate([score, score[row]]), np.concatenate([given_by, given_by[row]])
    order, starts = groups(clip * len(plan.classes) + index)
    kept = order[starts]
    best = Selected(clip[kept], index[kept], np.maximum.reduceat(score[order], starts))
    return ClipTargets(best, np.bitwise_or.reduceat(given_by[order], starts))
