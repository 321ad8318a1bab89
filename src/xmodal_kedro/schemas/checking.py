"""Tables of `label_check`: labels beside what is known."""

from __future__ import annotations

import pandera.pandas as pa_checks
from pandera.typing.pandas import Series

from .base import Table


class Truth(Table):
    """What is known to be heard and seen in a part of a recording; never shown to labelling or training.

    Several classes are joined by `|`; empty where there is none, null where it is not known.
    """

    uri: Series[str]
    start_s: Series[float] = pa_checks.Field(ge=0)
    end_s: Series[float] = pa_checks.Field(gt=0)
    """Infinite for the whole recording."""
    heard: Series[str] = pa_checks.Field(nullable=True)
    seen: Series[str] = pa_checks.Field(nullable=True)


class ClipTruth(Table):
    """What is known to be heard and seen in a clip, as in `Truth`."""

    shard: Series[str]
    """Key of its shard."""
    clip_id: Series[str] = pa_checks.Field(unique=True)
    video_id: Series[str]
    heard: Series[str] = pa_checks.Field(nullable=True)
    seen: Series[str] = pa_checks.Field(nullable=True)


class LabelQuality(Table):
    """How often labels are right, where the truth is known; see `labelling.check.quality`."""

    labels: Series[str] = pa_checks.Field(isin=["visual", "audio", "target"])
    """Whose: a teacher's, those that count when merging, or the training target's."""
    against: Series[str] = pa_checks.Field(isin=["heard", "seen"])
    """What they are held against."""
    match: Series[str] = pa_checks.Field(isin=["exact", "branch"])
    """Whether a label is right only if it is the true class, or also above or below it in the ontology."""
    average: Series[str] = pa_checks.Field(isin=["micro", "macro", "class"])
    """`micro` over all clips and labels, `macro` the mean over the classes that are true of some clip, or one class."""
    name: Series[str]
    """Of the class; empty for an average."""
    audioset_id: Series[str]
    clips: Series[int] = pa_checks.Field(ge=0)
    """Clips of which the class is true; of an average, those of which anything is."""
    labelled: Series[int] = pa_checks.Field(ge=0)
    """Clips that are labelled so; of an average, labels."""
    precision: Series[float] = pa_checks.Field(ge=0, le=1, nullable=True)
    recall: Series[float] = pa_checks.Field(ge=0, le=1, nullable=True)
    f1: Series[float] = pa_checks.Field(ge=0, le=1, nullable=True)
    average_precision: Series[float] = pa_checks.Field(ge=0, le=1, nullable=True)
    """Over the teacher's stored labels; of the macro average, mAP."""
    hit: Series[float] = pa_checks.Field(ge=0, le=1, nullable=True)
    """Share of clips with a right label that counts."""
    top1: Series[float] = pa_checks.Field(ge=0, le=1, nullable=True)
    """Share of clips whose best stored label is right..."""
    top5: Series[float] = pa_checks.Field(ge=0, le=1, nullable=True)
    """...and of those with a right one among the best five."""


class LabelReliability(Table):
    """A teacher's labels of one range of scores, and how many of them are right."""

    labels: Series[str] = pa_checks.Field(isin=["visual", "audio"])
    against: Series[str] = pa_checks.Field(isin=["heard", "seen"])
    match: Series[str] = pa_checks.Field(isin=["exact", "branch"])
    """As in `LabelQuality`."""
    bin: Series[int] = pa_checks.Field(ge=0, le=9)
    """Scores from `bin / 10` on."""
    labelled: Series[int] = pa_checks.Field(gt=0)
    """Labels in the bin."""
    mean_score: Series[float] = pa_checks.Field(ge=0, le=1)
    right: Series[float] = pa_checks.Field(ge=0, le=1)
    """Share of them that is right."""
