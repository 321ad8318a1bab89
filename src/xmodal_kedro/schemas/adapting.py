"""Tables of `adapt`: labelled clips, and how well a classifier of one's own does."""

from __future__ import annotations

import pandera.pandas as pa_checks
import pyarrow as pa
from pandera.typing.pandas import Series

from .base import Table, column


class ConfirmedClips(Table):
    """A clip that reviewers were asked about, with its sound."""

    clip_id: Series[str] = pa_checks.Field(unique=True)
    video_id: Series[str]
    right: Series[str]
    """Classes that are heard, joined by `|`."""
    wrong: Series[str]
    """Classes that are not heard, joined by `|`."""
    audio: Series[object] = column(pa.binary())
    """int16 PCM, 16 kHz mono."""


class AdaptResults(Table):
    """One measure of one representation on one fold."""

    representation: Series[str]
    fold: Series[int] = pa_checks.Field(ge=0)
    metric: Series[str]
    value: Series[float]
    used: Series[bool]
    """Whether the classifier is made of this representation."""


class AdaptPredictions(Table):
    """The score of one class for a clip, by a head that is fitted on the other folds."""

    clip: Series[str]
    fold: Series[int] = pa_checks.Field(ge=0)
    name: Series[str]
    score: Series[float] = pa_checks.Field(ge=0, le=1)
    is_heard: Series[float] = pa_checks.Field(isin=[0.0, 1.0], nullable=True)
    """Null if it is not known."""


class AdaptClasses(Table):
    """A class of the classifier, and how well it is recognised on held-out clips."""

    name: Series[str] = pa_checks.Field(unique=True)
    clips: Series[int] = pa_checks.Field(ge=0)
    average_precision: Series[float] = pa_checks.Field(ge=0, le=1, nullable=True)
    threshold: Series[float] = pa_checks.Field(ge=0, le=1, nullable=True)
    """Lowest score that keeps the wanted precision; null if none does."""
    precision: Series[float] = pa_checks.Field(ge=0, le=1, nullable=True)
    low: Series[float] = pa_checks.Field(ge=0, le=1, nullable=True)
    """Lower end of its interval."""
    recall: Series[float] = pa_checks.Field(ge=0, le=1, nullable=True)
    """Share of its clips at or above the threshold."""


class AdaptCurve(Table):
    """The measure of held-out clips, with so many clips of each class to learn from."""

    clips_per_class: Series[int] = pa_checks.Field(gt=0)
    value: Series[float]
    std: Series[float] = pa_checks.Field(nullable=True)
    """Standard deviation over draws of clips; null where all are used."""
    continued: Series[bool]
    """Whether it is not measured, and continued by a power law."""


class AdaptTrainings(Table):
    """What one training of the whole network left: logits of the clips that it was tested on, or its weights."""

    clip: Series[str]
    """Empty for the row of the weights."""
    logits: Series[object] = column(pa.list_(pa.float64()))
    weights: Series[object] = column(pa.binary())
    """safetensors; empty for a tested clip."""


ADAPT_TRAININGS_ARROW = AdaptTrainings.arrow_schema()
