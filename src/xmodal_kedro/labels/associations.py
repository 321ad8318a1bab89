"""What the whole corpus says of its classes: from which score on each counts, and which belong together."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xmodal_kedro.labels.class_map import ClassMap, Indices
from xmodal_kedro.labels.counts import ALL, COMPARED, LabelCounter
from xmodal_kedro.labels.plan import MODALITIES, MergePlan
from xmodal_kedro.labels.selection import DRAWS_PER_LEVEL, SCORE_BINS, SCORE_LEVELS
from xmodal_kedro.params import AgreementParams, MergeParams
from xmodal_kedro.storage import Shards

MIN_SHOWN_VIDEOS = 2
"""Pairs of classes that support nothing are told of if they occur together in so many videos."""


def plan_from_survey(
    label_survey: Shards, classes: ClassMap, params: MergeParams
) -> tuple[pd.DataFrame, pd.DataFrame, MergePlan]:
    """What the survey of the corpus says, and how labels are merged accordingly.

    Args:
        label_survey: as the jobs of `counts.survey_jobs` make it.
        classes: of both teachers.
        params: `merge_labels`.

    Returns:
        `ClassThresholds`, `ClassAssociations`, and the plan that follows from them.
    """
    survey = LabelCounter.sum_of(label_survey)
    thresholds = class_thresholds(survey, classes, params)
    associations = class_associations(survey, classes, params)
    return thresholds, associations, MergePlan.of(classes, params, thresholds, associations)


def class_thresholds(survey: LabelCounter, classes: ClassMap, params: MergeParams) -> pd.DataFrame:
    """From which score on each class of each modality counts, so that none labels more clips than its rate allows.

    Returns:
        `ClassThresholds`, of the classes that occur.
    """
    rows = [row for modality in MODALITIES for row in _thresholds(survey, classes, modality, params)]
    columns = {"modality": str, "index": int, "name": str, "clips": int, "kept_clips": int, "cut": int}
    return pd.DataFrame(rows, columns=[*columns, "threshold"]).astype({**columns, "threshold": float})


def _thresholds(
    survey: LabelCounter, classes: ClassMap, modality: str, params: MergeParams
) -> Iterator[tuple[str, int, str, int, int, int, float]]:
    limits = params.of(modality)
    all_clips = int(survey.by_first("clips", modality, ALL + 1)[ALL])
    most = math.inf if limits.max_rate is None else math.floor(limits.max_rate * all_clips + 1e-9)
    index, bins, counts = survey.of("scores", modality)
    for candidate in np.unique(index):
        mine = slice(*np.searchsorted(index, [candidate, candidate + 1]))
        by_bin = np.bincount(bins[mine], counts[mine], SCORE_BINS).astype(np.int64)
        cut = first_bin_within(by_bin, most)
        score = max(limits.threshold, cut // DRAWS_PER_LEVEL / SCORE_LEVELS)
        name = classes.names[candidate]
        yield modality, int(candidate), name, int(by_bin.sum()), int(by_bin[cut:].sum()), cut, score


def first_bin_within(by_bin: NDArray[np.int64], most: float) -> int:
    """The lowest bin from which on there are at most so many clips.

    Args:
        by_bin: clips by bin of their score [bins].
        most: how many.
    """
    from_here_on = np.append(by_bin[::-1].cumsum()[::-1], 0)
    return int(np.argmax(from_here_on <= most))


def class_associations(survey: LabelCounter, classes: ClassMap, params: MergeParams) -> pd.DataFrame:
    """How the visual and the audio classes that occur in one clip belong together.

    Association is pointwise mutual information (Church and Hanks, "Word association norms, mutual information, and
    lexicography", Computational Linguistics 16, 1990) over the N clips that have labels of both modalities:
    log2(N n(v, a) / (n(v) n(a))).

    Returns:
        `ClassAssociations`, strongest first: every pair of which one supports the other, and those that occur together
        in at least `MIN_SHOWN_VIDEOS` videos.
    """
    visual, audio, clips = survey.of("pair_clips", "both")
    _, _, videos = survey.of("pair_videos", "both")
    compared = int(survey.by_first("clips", "both", COMPARED + 1)[COMPARED])
    seen, heard = (survey.by_first("compared", modality, len(classes)) for modality in MODALITIES)
    pmi = np.log2(clips * compared / (seen[visual] * heard[audio]))
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
    found = []
    for v, a, together, bits in zip(visual.tolist(), audio.tolist(), videos.tolist(), pmi.tolist(), strict=True):
        associated = params.associations and together >= params.min_videos and bits >= params.min_pmi
        found.append(_relation(v, a, classes, params) or ("association" if associated else ""))
    return found


def _relation(visual: int, audio: int, classes: ClassMap, params: AgreementParams) -> str:
    """How two classes are related by what they stand for, if they are."""
    sounds: Any = classes.stands_for[visual]
    if sounds & classes.stands_for[audio]:
        return "same"
    if params.ancestors and (sounds & classes.above[audio] or classes.above[visual] & classes.stands_for[audio]):
        return "ancestor"
    return ""
