"""What makes targets of two teachers' labels, once the corpus has been counted; and the targets of one shard."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xmodal_kedro.handles import LoadShard, Shards
from xmodal_kedro.labelling.class_map import ClassMap, Indices
from xmodal_kedro.labelling.selection import (
    Selected,
    ShardClips,
    best_labels,
    best_of_each,
    match,
    pairs,
    read_labels,
)
from xmodal_kedro.params import MergeParams

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
class MergePlan:
    """All that turns the labels of a shard into targets, but for the choice of the vocabulary.

    Attributes:
        classes: candidates and labels.
        params: `merge_labels`.
        cuts: first bin that counts, by modality and candidate, for those of which the rate is limited.
        support: pairs of a visual and an audio candidate that support each other [pairs, 2].
    """

    classes: ClassMap
    params: MergeParams
    cuts: Mapping[str, Mapping[int, int]]
    support: tuple[tuple[int, int], ...]

    @classmethod
    def before_the_survey(cls, classes: ClassMap, params: MergeParams) -> MergePlan:
        """Without limits of rates, and without support."""
        return cls(classes, params, {}, ())

    @classmethod
    def of(
        cls, classes: ClassMap, params: MergeParams, thresholds: pd.DataFrame, associations: pd.DataFrame
    ) -> MergePlan:
        """From `ClassThresholds` and `ClassAssociations`. Only what can change a target is kept."""
        limited = thresholds[thresholds["cut"] > 0]
        cuts = {
            str(modality): dict(zip(rows["index"].tolist(), rows["cut"].tolist(), strict=True))
            for modality, rows in limited.groupby("modality")
        }
        supporting = associations[associations["support"] != ""]
        support = sorted(zip(supporting["visual_index"].tolist(), supporting["audio_index"].tolist(), strict=True))
        return cls(classes, params, cuts, tuple(support))

    @cached_property
    def fingerprint(self) -> str:
        """Of all that it holds."""
        text = repr(
            (
                self.classes.fingerprint,
                self.params.model_dump(exclude={"min_clips", "max_clips", "validation_fraction", "targets"}),
                sorted((modality, sorted(cuts.items())) for modality, cuts in self.cuts.items()),
                self.support if self.params.rule == "agreement" else (),
            )
        )
        return hashlib.sha256(text.encode()).hexdigest()

    @cached_property
    def support_keys(self) -> Indices:
        """The supporting pairs as sorted numbers, visual times candidates plus audio."""
        found = np.array(self.support, np.int64).reshape(-1, 2)
        return np.sort(found[:, 0] * len(self.classes) + found[:, 1])

    def cuts_of(self, modality: str) -> Indices:
        """First bin that counts [candidates]."""
        cuts = np.zeros(len(self.classes), np.int64)
        for index, cut in self.cuts.get(modality, {}).items():
            cuts[index] = cut
        return cuts


@dataclass(frozen=True)
class Targets:
    """Targets of the clips of a shard, in the order of clips and candidates.

    Attributes:
        selected: clip, candidate and score of each.
        given_by: bits `VISUAL` and `AUDIO` of the modalities that gave it [targets].
    """

    selected: Selected
    given_by: NDArray[np.uint8]

    def where(self, chosen: NDArray) -> Targets:
        """Those of the targets."""
        return Targets(self.selected.where(chosen), self.given_by[chosen])


def selected_labels(
    key: str, clips: ShardClips, teachers: Mapping[str, LoadShard], plan: MergePlan
) -> dict[str, Selected]:
    """The labels of each modality that are over its threshold and among the best of their clip.

    Raises:
        ValueError: naming the data set and the shard, see `read_labels` and `match`.
    """
    return {
        modality: match(
            best_labels(read_labels(load, clips, f"{modality}_labels {key}"), plan.params.of(modality)),
            plan.classes,
            modality,
        )
        for modality, load in teachers.items()
    }


def under_rate(labels: Selected, modality: str, clips: ShardClips, plan: MergePlan) -> Selected:
    """Labels whose class does not label too many clips by them."""
    if modality not in plan.cuts:
        return labels
    return labels.where(labels.bins(clips) >= plan.cuts_of(modality)[labels.index])


def supported(visual: Selected, audio: Selected, clip_count: int, plan: MergePlan) -> dict[str, NDArray[np.bool_]]:
    """Which labels a label of the other modality supports in the same clip, by modality [labels]."""
    seen, heard = pairs(visual, audio, clip_count)
    keys = visual.index[seen] * len(plan.classes) + audio.index[heard]
    at = np.searchsorted(plan.support_keys, keys)
    known = np.append(plan.support_keys, -1)
    is_supported = known[at] == keys
    found = {"visual": np.zeros(len(visual), bool), "audio": np.zeros(len(audio), bool)}
    found["visual"][seen[is_supported]] = True
    found["audio"][heard[is_supported]] = True
    return found


def agreed(labels: Mapping[str, Selected], clip_count: int, plan: MergePlan) -> dict[str, Selected]:
    """Labels that the rule lets through: for `agreement`, those that are supported; else all."""
    if plan.params.rule != "agreement":
        return dict(labels)
    masks = supported(labels["visual"], labels["audio"], clip_count, plan)
    return {modality: found.where(masks[modality]) for modality, found in labels.items()}


def targets_of(labels: Mapping[str, Selected], plan: MergePlan) -> Targets:
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
    merged = best_of_each(clip, index, score, len(plan.classes))
    bits_of = np.zeros(len(merged), np.uint8)
    at = np.searchsorted(merged.clip * len(plan.classes) + merged.index, clip * len(plan.classes) + index)
    np.bitwise_or.at(bits_of, at, given_by)
    return Targets(merged, bits_of)
