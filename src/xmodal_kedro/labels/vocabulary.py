"""Selects the candidates that become classes of the training target."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xmodal_kedro.errors import UserError
from xmodal_kedro.labels.associations import first_bin_within
from xmodal_kedro.labels.class_map import ClassMap, Indices
from xmodal_kedro.labels.counts import ALL, COMPARED, GIVEN_BY, LABELLED, LabelCounter
from xmodal_kedro.labels.limits import ScoreLimits
from xmodal_kedro.labels.plan import MergePlan
from xmodal_kedro.labels.selection import DRAW_BINS, DRAWS_PER_HALVING
from xmodal_kedro.params import MergeParams
from xmodal_kedro.schemas import UNLABELLED_REASONS
from xmodal_kedro.storage import Shards

logger = logging.getLogger(__name__)

VOCABULARY_KINDS = ("clips", "targets")
"""Kinds of counts that a vocabulary is made from."""
FEW = "too_few_clips"
LEFT_OUT_BY_RULE = ("over_rate", "not_agreed", "only_on_stills", "over_rate_or_on_stills")
"""Why few clips are left of a frequent class, if not for the precision of its labels."""


def planned_vocabulary(
    label_survey: Shards, target_counts: Shards, plan: MergePlan
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The vocabulary of a plan, from the stored counts of the corpus; see `build_vocabulary`.

    Args:
        label_survey: output of the jobs of `counts.survey_jobs`.
        target_counts: output of the jobs of `counts.target_jobs`; empty if the survey holds these counts.
        plan: the plan made from that survey.
    """
    survey = LabelCounter.sum_of(label_survey, VOCABULARY_KINDS)
    targets = LabelCounter.sum_of(target_counts, VOCABULARY_KINDS) if target_counts else survey
    return build_vocabulary(survey, targets, plan.classes, plan.params, plan.limits)


def build_vocabulary(
    survey: LabelCounter,
    targets: LabelCounter,
    classes: ClassMap,
    params: MergeParams,
    limits: ScoreLimits | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Choose the classes that have enough clips and, with `params.drop_silent`, are not known to be silent.

    Args:
        survey: the counts of `survey_shards`, summed over all jobs.
        targets: the counts of `count_targets`; the survey itself if it holds them.
        classes: the candidates.
        params: `merge_labels`.
        limits: of the plan.

    Returns:
        `LabelVocabulary`, numbered in the order of names, with `clip_count` of the targets under `params.max_clips`;
        and `DroppedClasses`.

    Raises:
        UserError: if no class is left; names the fields to change.
    """
    for modality in ("visual", "audio"):
        if survey.by_first("clips", modality, 1).any():
            logger.info("%s labels: %s", modality, describe_clips(survey, modality))
    labelled, targeted = (_by_giver(counts, len(classes)) for counts in (survey, targets))
    label_count, target_count = (_total(counts) for counts in (labelled, targeted))
    clip_count, kept_share = _capped(targets, target_count, params.max_clips)
    candidates = classes.candidates[["name", "audioset_id", "parents", "silent"]].assign(
        modality=_modalities(targeted), clip_count=clip_count, kept_share=kept_share
    )
    is_class = (target_count >= params.min_clips) & (clip_count > 0) & ~(params.drop_silent & classes.silent)
    if not is_class.any():
        raise UserError(_empty(survey, label_count, classes, params))
    vocabulary = candidates[is_class].reset_index(drop=True)
    vocabulary.insert(0, "index", range(len(vocabulary)))
    dropped = _dropped(candidates[["name", "silent"]], labelled, target_count, params)[~is_class]
    reviewed = sorted(set[int]().union(*(limits or {}).values()))
    is_imprecise = dropped.index.isin(reviewed) & dropped["reason"].isin(LEFT_OUT_BY_RULE)
    dropped.loc[is_imprecise, "reason"] = "not_precise"
    dropped = dropped[dropped["clip_count"] > 0].sort_values(["clip_count", "name"], ascending=[False, True])
    logger.info("vocabulary: %d classes, %d left out", len(vocabulary), len(dropped))
    return vocabulary.drop(columns="silent"), dropped.reset_index(drop=True)


def describe_clips(survey: LabelCounter, modality: str) -> str:
    """The number of a teacher's clips in words: labelled, and unlabelled by reason."""
    counts = survey.by_first("clips", modality, COMPARED + 1 + len(UNLABELLED_REASONS)).tolist()
    unlabelled = dict(zip(UNLABELLED_REASONS, counts[COMPARED + 1 :], strict=True))
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(unlabelled.items()))
    total = sum(unlabelled.values())
    return f"{counts[ALL]} clips = {counts[LABELLED]} labelled + {total} unlabelled ({reasons})"


def _by_giver(counts: LabelCounter, classes: int) -> dict[str, Indices]:
    """Clips by candidate, for each of the modalities that gave the target."""
    return {modality: counts.by_first("targets", modality, classes) for modality in GIVEN_BY.values()}


def _total(by_giver: dict[str, Indices]) -> Indices:
    total: Indices = np.sum(list(by_giver.values()), axis=0)
    return total


def _modalities(by_giver: dict[str, Indices]) -> pd.Series:
    """The modalities that give each candidate in any clip."""
    visual, audio = (by_giver[modality] + by_giver["both"] > 0 for modality in ("visual", "audio"))
    return pd.Series(np.where(visual & audio, "both", np.where(visual, "visual", "audio")), dtype=str)


def _capped(targets: LabelCounter, target_count: Indices, max_clips: int | None) -> tuple[Indices, NDArray[np.float64]]:
    """Clips of each candidate under the cap, and the share of its clips that are kept [candidates]."""
    kept, first = target_count.copy(), np.zeros(len(target_count))
    if max_clips is not None:
        drawn = [targets.of("targets", modality) for modality in GIVEN_BY.values()]
        for candidate in np.flatnonzero(target_count > max_clips):
            by_draw = np.zeros(DRAW_BINS, np.int64)
            for index, draw, counts in drawn:
                rows = slice(*np.searchsorted(index, [candidate, candidate + 1]))
                by_draw[draw[rows]] += counts[rows]
            first[candidate] = first_bin_within(by_draw, max_clips)
            kept[candidate] = by_draw[int(first[candidate]) :].sum()
    return kept, 2.0 ** (-first / DRAWS_PER_HALVING)


def _dropped(
    candidates: pd.DataFrame, labelled: dict[str, Indices], target_count: Indices, params: MergeParams
) -> pd.DataFrame:
    """`DroppedClasses` with a row for every candidate."""
    clip_count = _total(labelled)
    is_frequent = clip_count >= params.min_clips
    reason_if_frequent = _why_few_are_left(labelled["visual"] + labelled["both"] > 0, params)
    is_silent = params.drop_silent & candidates["silent"]
    reason = pd.Series(np.where(is_silent, "silent", np.where(is_frequent, reason_if_frequent, FEW)), dtype=str)
    return pd.DataFrame(
        {
            "name": candidates["name"],
            "modality": _modalities(labelled),
            "clip_count": clip_count,
            "target_count": target_count,
            "reason": reason,
        }
    )


def _why_few_are_left(is_seen: NDArray[np.bool_], params: MergeParams) -> NDArray[np.str_]:
    """Of `LEFT_OUT_BY_RULE`, what the parameters allow [candidates].

    Args:
        is_seen: whether the visual teacher gives a candidate in any clip [candidates].
    """
    if params.rule == "agreement":
        return np.full(len(is_seen), "not_agreed")
    if not params.drop_seen_on_stills:
        return np.full(len(is_seen), "over_rate")
    has_rate = any(params.of(modality).max_rate is not None for modality in ("visual", "audio"))
    # Of a class that has a rate, it is not counted which of the two took its clips.
    return np.where(is_seen, "over_rate_or_on_stills" if has_rate else "only_on_stills", "over_rate")


def _empty(survey: LabelCounter, clip_count: Indices, classes: ClassMap, params: MergeParams) -> str:
    names = [name for name in ("visual", "audio") if survey.by_first("clips", name, 1).any()]
    if not names:
        return "no class is left for the vocabulary, as there are no clips: run the pipeline clip on more recordings"
    clip_counts = "; ".join(f"{name}: {describe_clips(survey, name)}" for name in names)
    frequent = [index for index in np.argsort(-clip_count, kind="stable")[:3].tolist() if clip_count[index]]
    best = ", ".join(f"{classes.names[index]!r} in {clip_count[index]} clips" for index in frequent)
    lower = [f"lower merge_labels.{name}.threshold ({params.of(name).threshold})" for name in names]
    limits = [f"raise merge_labels.{name}.max_rate" for name in names if params.of(name).max_rate is not None]
    remedies = [
        *(["set another rule than agreement"] if params.rule == "agreement" else []),
        *(["set drop_silent: false"] if params.drop_silent and classes.silent[clip_count > 0].any() else []),
        *lower,
        *limits,
        f"lower merge_labels.min_clips ({params.min_clips})",
    ]
    return (
        f"no class is left for the vocabulary ({clip_counts}; classes over the threshold: {int((clip_count > 0).sum())}"
        f"{', most frequent ' + best if best else ''}): {', '.join(remedies)} in parameters/merge_labels.yml, or add "
        "videos"
    )
