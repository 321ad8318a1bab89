"""What the survey of the whole corpus gives: a score threshold for each class, and which classes are associated."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xmodal_kedro.labels.class_map import ClassMap, Indices
from xmodal_kedro.labels.counts import ALL, COMPARED, LabelCounter
from xmodal_kedro.labels.limits import ScoreLimits, score_limits
from xmodal_kedro.labels.plan import MODALITIES, MergePlan
from xmodal_kedro.labels.selection import DRAWS_PER_LEVEL, SCORE_BINS, SCORE_LEVELS
from xmodal_kedro.params import AgreementParams, MergeParams
from xmodal_kedro.storage import Shards

_Threshold: TypeAlias = tuple[str, int, str, int, int, int, float]
"""A row of `ClassThresholds`."""
MIN_SHOWN_VIDEOS = 2
"""Pairs of classes without support are listed if they occur together in at least this many videos."""


def plan_from_survey(
    label_survey: Shards, classes: ClassMap, params: MergeParams, precision_thresholds: pd.DataFrame | None = None
) -> tuple[pd.DataFrame, pd.DataFrame, MergePlan]:
    """Thresholds and associations from the survey of the corpus, and the plan for merging labels.

    Args:
        label_survey: output of the jobs of `counts.survey_jobs`.
        classes: of both teachers.
        params: `merge_labels`.
        precision_thresholds: `PrecisionThresholds`, which `params.precision` needs.

    Returns:
        `ClassThresholds`, `ClassAssociations`, and the plan that follows from them.

    Raises:
        UserError: see `score_limits`.
    """
    limits = {} if precision_thresholds is None else score_limits(precision_thresholds, classes, params)
    survey = LabelCounter.sum_of(label_survey)
    thresholds = class_thresholds(survey, classes, params, limits)
    associations = class_associations(survey, classes, params)
    return thresholds, associations, MergePlan.of(classes, params, thresholds, associations, limits)


def class_thresholds(
    survey: LabelCounter, classes: ClassMap, params: MergeParams, limits: ScoreLimits | None = None
) -> pd.DataFrame:
    """The lowest score that counts for each class of each modality, so that none labels more clips than its max rate,
    and none that was reviewed is below its limit.

    Returns:
        `ClassThresholds`, one row for each class that occurs.
    """
    rows = [row for modality in MODALITIES for row in _thresholds(survey, classes, modality, params)]
    rows = [_limited(row, survey, (limits or {}).get(row[0], {}).get(row[1])) for row in rows]
    columns = {"modality": str, "index": int, "name": str, "clips": int, "kept_clips": int, "cut": int}
    return pd.DataFrame(rows, columns=[*columns, "threshold"]).astype({**columns, "threshold": float})


def _thresholds(survey: LabelCounter, classes: ClassMap, modality: str, params: MergeParams) -> Iterator[_Threshold]:
    limits = params.of(modality)
    all_clips = int(survey.by_first("clips", modality, ALL + 1)[ALL])
    max_clips = math.inf if limits.max_rate is None else math.floor(limits.max_rate * all_clips + 1e-9)
    index, bins, counts = survey.of("scores", modality)
    for candidate in np.unique(index):
        rows = slice(*np.searchsorted(index, [candidate, candidate + 1]))
        by_bin = np.bincount(bins[rows], counts[rows], SCORE_BINS).astype(np.int64)
        cut = first_bin_within(by_bin, max_clips)
        score = max(limits.threshold, cut // DRAWS_PER_LEVEL / SCORE_LEVELS)
        name = classes.names[candidate]
        yield modality, int(candidate), name, int(by_bin.sum()), int(by_bin[cut:].sum()), cut, score


def _limited(row: _Threshold, survey: LabelCounter, limit: float | None) -> _Threshold:
    """The threshold of a class with the lowest score that counts, 1 and no clips where none does."""
    if limit is None:
        return row
    modality, candidate, name, clips, _, cut, _ = row
    if math.isinf(limit):
        return modality, candidate, name, clips, 0, cut, 1.0
    index, bins, counts = survey.of("scores", modality)
    is_kept = (index == candidate) & (bins >= max(cut, math.ceil(limit * SCORE_LEVELS) * DRAWS_PER_LEVEL))
    score = max(limit, cut // DRAWS_PER_LEVEL / SCORE_LEVELS)
    return modality, candidate, name, clips, int(counts[is_kept].sum()), cut, score


def first_bin_within(by_bin: NDArray[np.int64], max_clips: float) -> int:
    """The lowest bin such that it and all bins above it hold at most `max_clips` clips.

    Args:
        by_bin: clips by bin of their score [bins].
        max_clips: the limit.
    """
    from_here_on = np.append(by_bin[::-1].cumsum()[::-1], 0)
    return int(np.argmax(from_here_on <= max_clips))


def class_associations(survey: LabelCounter, classes: ClassMap, params: MergeParams) -> pd.DataFrame:
    """How strongly visual and audio classes that occur in the same clips are associated.

    The measure is pointwise mutual information (Church and Hanks, "Word association norms, mutual information, and
    lexicography", Computational Linguistics 16, 1990) over the N clips that have labels of both modalities:
    log2(N n(v, a) / (n(v) n(a))).

    Returns:
        `ClassAssociations`, strongest first: every pair that supports each other, and every pair that occurs together
        in at least `MIN_SHOWN_VIDEOS` videos.
    """
    visual, audio, clips = survey.of("pair_clips", "both")
    _, _, videos = survey.of("pair_videos", "both")
    compared = int(survey.by_first("clips", "both", COMPARED + 1)[COMPARED])
    visual_clips, audio_clips = (survey.by_first("compared", modality, len(classes)) for modality in MODALITIES)
    pmi = np.log2(clips * compared / (visual_clips[visual] * audio_clips[audio]))
    names = pd.Index(classes.names, dtype=str)
    support = _support(visual, audio, videos, pmi, classes, params.agreement)
    table = pd.DataFrame(
        {
            "visual": names.take(visual),
            "audio": names.take(audio),
            "visual_index": visual,
            "audio_index": audio,
            "clips": clips,
            "videos": videos,
            "pmi": pmi,
            "support": pd.Series(support, dtype=str),
        }
    )
    table = table[(table["support"] != "") | (table["videos"] >= MIN_SHOWN_VIDEOS)]
    return table.sort_values(["pmi", "clips", "visual", "audio"], ascending=[False, False, True, True]).reset_index(
        drop=True
    )


def _support(
    visual: Indices,
    audio: Indices,
    videos: Indices,
    pmi: NDArray[np.float64],
    classes: ClassMap,
    params: AgreementParams,
) -> list[str]:
    relations = []
    for v, a, together, bits in zip(visual.tolist(), audio.tolist(), videos.tolist(), pmi.tolist(), strict=True):
        associated = params.associations and together >= params.min_videos and bits >= params.min_pmi
        relations.append(_relation(v, a, classes, params) or ("association" if associated else ""))
    return relations


def _relation(visual: int, audio: int, classes: ClassMap, params: AgreementParams) -> str:
    """How the sounds that two classes stand for are related; empty if they are not."""
    sounds: Any = classes.stands_for[visual]
    if sounds & classes.stands_for[audio]:
        return "same"
    if params.ancestors and (sounds & classes.above[audio] or classes.above[visual] & classes.stands_for[audio]):
        return "ancestor"
    return ""
