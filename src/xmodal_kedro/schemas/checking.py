"""Tables of `label_check`: labels compared with the truth."""

from __future__ import annotations

import pandera.pandas as pa_checks
from pandera.typing.pandas import Series

from .base import Table


class Truth(Table):
    """The true audible and visible classes of a part of a recording; labelling and training never read it.

    Several classes are joined by `|`; empty if there is none, null if unknown.
    """

    uri: Series[str]
    start_s: Series[float] = pa_checks.Field(ge=0)
    end_s: Series[float] = pa_checks.Field(gt=0)
    """Infinite for the whole recording."""
    heard: Series[str] = pa_checks.Field(nullable=True)
    seen: Series[str] = pa_checks.Field(nullable=True)


class ClipTruth(Table):
    """The true audible and visible classes of a clip, as in `Truth`."""

    shard: Series[str]
    """Key of its shard."""
    clip_id: Series[str] = pa_checks.Field(unique=True)
    video_id: Series[str]
    heard: Series[str] = pa_checks.Field(nullable=True)
    seen: Series[str] = pa_checks.Field(nullable=True)


class LabelQuality(Table):
    """How often labels are right, on clips with known truth; see `labels.check.quality`."""

    labels: Series[str] = pa_checks.Field(isin=["visual", "audio", "target"])
    """Source of the labels: a teacher, with the selection of merging, or the training target."""
    against: Series[str] = pa_checks.Field(isin=["heard", "seen"])
    """The part of the truth that they are compared with."""
    match: Series[str] = pa_checks.Field(isin=["exact", "branch"])
    """Whether a label is right only if it is the true class, or also above or below it in the ontology."""
    average: Series[str] = pa_checks.Field(isin=["micro", "macro", "class"])
    """`micro` over all clips and labels, `macro` the mean over the classes that are true of some clip, or one class."""
    name: Series[str]
    """Name of the class; empty for an average."""
    audioset_id: Series[str]
    clips: Series[int] = pa_checks.Field(ge=0)
    """Clips in which the class is true; for an average, clips in which any class is."""
    labelled: Series[int] = pa_checks.Field(ge=0)
    """Clips with this label; for an average, the number of labels."""
    precision: Series[float] = pa_checks.Field(ge=0, le=1, nullable=True)
    recall: Series[float] = pa_checks.Field(ge=0, le=1, nullable=True)
    f1: Series[float] = pa_checks.Field(ge=0, le=1, nullable=True)
    average_precision: Series[float] = pa_checks.Field(ge=0, le=1, nullable=True)
    """Over the teacher's stored labels; for the macro average, the mAP."""
    hit: Series[float] = pa_checks.Field(ge=0, le=1, nullable=True)
    """Share of clips with a right selected label."""
    top1: Series[float] = pa_checks.Field(ge=0, le=1, nullable=True)
    """Share of clips whose best stored label is right."""
    top5: Series[float] = pa_checks.Field(ge=0, le=1, nullable=True)
    """Share of clips with a right label among the best five."""


class LabelReliability(Table):
    """A teacher's labels in one bin of scores, and the share of them that is right."""

    labels: Series[str] = pa_checks.Field(isin=["visual", "audio"])
    against: Series[str] = pa_checks.Field(isin=["heard", "seen"])
    match: Series[str] = pa_checks.Field(isin=["exact", "branch"])
    """As in `LabelQuality`."""
    bin: Series[int] = pa_checks.Field(ge=0, le=9)
    """Scores from `bin / 10` to `(bin + 1) / 10`."""
    labelled: Series[int] = pa_checks.Field(gt=0)
    """Labels in the bin."""
    mean_score: Series[float] = pa_checks.Field(ge=0, le=1)
    right: Series[float] = pa_checks.Field(ge=0, le=1)
    """Share of these labels that is right."""
