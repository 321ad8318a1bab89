"""Tables of `review` and `review_results`: what people are asked, what they answered, and what follows from it."""

from __future__ import annotations

import pandera.pandas as pa_checks
import pyarrow as pa
from pandera.typing.pandas import Series

from .base import Table, column

ANSWERS = ("right", "wrong", "unsure", "also")
"""Of a reviewer: the class is heard, it is not, it is not certain, and a class that was not asked about is heard."""
DRAWS = ("suspicious", "score", "contradictory", "nearest", "diverse")
"""Why a clip is asked about: `score` is by chance, evenly over scores."""


class ReviewSamples(Table):
    """The first clips of each stratum of a shard in the order of their draw: see `review.strata`."""

    name: Series[str]
    """Name of the candidate class."""
    modality: Series[str] = pa_checks.Field(isin=["visual", "audio"])
    bin: Series[int] = pa_checks.Field(ge=0)
    clips: Series[int] = pa_checks.Field(gt=0)
    """Clips of the shard in this stratum."""
    lower_half: Series[int] = pa_checks.Field(ge=0)
    """Those whose draw is in the lower half."""
    sample: Series[object] = column(
        pa.list_(pa.struct([("clip_id", pa.string()), ("draw", pa.int64()), ("score", pa.float32())]))
    )
    """Those of the lowest draws, and of the lowest in the upper half, ascending."""


REVIEW_SAMPLES_ARROW = ReviewSamples.arrow_schema()


class ReviewPool(Table):
    """A clip that may be asked about, one of the lowest draws of its stratum: of a class, a modality, a bin of scores.

    A stratum is drawn without replacement in the order of `rank`, so that the answered clips up to the first that is
    not answered are a random sample of it, whichever round they were asked in.
    """

    name: Series[str]
    modality: Series[str] = pa_checks.Field(isin=["visual", "audio"])
    bin: Series[int] = pa_checks.Field(ge=0)
    low: Series[float] = pa_checks.Field(ge=0, le=1)
    """Lowest score of the bin."""
    stratum_clips: Series[int] = pa_checks.Field(gt=0)
    """Clips of the corpus in this stratum."""
    rank: Series[int] = pa_checks.Field(ge=0)
    """Place of the clip in the draw of its stratum, from 0."""
    searched: Series[bool]
    """Whether its draw is in the upper half, where clips are searched that are not drawn by chance."""
    shard: Series[str]
    """Key of its shard."""
    clip_id: Series[str]
    score: Series[float] = pa_checks.Field(ge=0, le=1)
    """Highest score of the teacher's labels that become this class."""


class ReviewQuestions(Table):
    """A clip and a class that a reviewer is asked about, in the order of the page."""

    clip_id: Series[str]
    name: Series[str]
    shard: Series[str]
    video_id: Series[str]
    start_s: Series[float] = pa_checks.Field(ge=0)
    end_s: Series[float] = pa_checks.Field(gt=0)
    visual_score: Series[float] = pa_checks.Field(ge=0, le=1, nullable=True)
    audio_score: Series[float] = pa_checks.Field(ge=0, le=1, nullable=True)
    drawn: Series[str] = pa_checks.Field(isin=list(DRAWS))
    modality: Series[str] = pa_checks.Field(isin=["", "visual", "audio"])
    """Of the stratum, if it was drawn by score."""
    bin: Series[int] = pa_checks.Field(ge=-1)


class ReviewedClips(Table):
    """What reviewers said of a class in a clip, all answers taken together."""

    clip_id: Series[str]
    name: Series[str]
    answer: Series[str] = pa_checks.Field(isin=["right", "wrong", "unsure", "conflict"])
    """`conflict` where reviewers differ between right and wrong."""
    asked: Series[bool]
    """Whether anybody was asked; else it was added as heard too."""
    reviewers: Series[int] = pa_checks.Field(gt=0)
    seconds: Series[float] = pa_checks.Field(ge=0)
    """Time that all of them took for it."""


class ReviewSuspects(Table):
    """A clip and a class to be asked about first in the next draw."""

    clip_id: Series[str]
    name: Series[str]
    shard: Series[str]
    reason: Series[str] = pa_checks.Field(isin=["reviewers_differ", "answer_unlikely", "label_unlikely"])
    suspicion: Series[float] = pa_checks.Field(ge=0, le=1)
    """1 less the probability of what is said of it."""


class ClassPrecision(Table):
    """How often labels of a class at or above a score are right, estimated from answers."""

    name: Series[str]
    modality: Series[str] = pa_checks.Field(isin=["visual", "audio"])
    threshold: Series[float] = pa_checks.Field(ge=0, le=1)
    """Lowest score."""
    clips: Series[int] = pa_checks.Field(ge=0)
    """Clips of the corpus at or above it; within a bin, an estimate."""
    answered: Series[int] = pa_checks.Field(ge=0)
    """Answers, right or wrong, of the random sample of these clips."""
    effective: Series[float] = pa_checks.Field(ge=0)
    """How many answers of a simple random sample of endlessly many clips would be as certain (Kish)."""
    right: Series[int] = pa_checks.Field(ge=0)
    precision: Series[float] = pa_checks.Field(ge=0, le=1, nullable=True)
    """Weighted by how the clips were drawn."""
    low: Series[float] = pa_checks.Field(ge=0, le=1, nullable=True)
    high: Series[float] = pa_checks.Field(ge=0, le=1, nullable=True)
    """Ends of the Wilson interval, each of which holds with a probability of `review.confidence`."""
    recall: Series[float] = pa_checks.Field(ge=0, le=1, nullable=True)
    """Of all that is right among the teacher's stored labels of the class; null where some stratum has no answer."""


class PrecisionThresholds(Table):
    """The threshold of a class of one modality that keeps the wanted precision."""

    name: Series[str]
    modality: Series[str] = pa_checks.Field(isin=["visual", "audio"])
    wanted: Series[float] = pa_checks.Field(gt=0, lt=1)
    """Precision that was asked for."""
    threshold: Series[float] = pa_checks.Field(ge=0, le=1, nullable=True)
    """Null if no threshold keeps it."""
    precision: Series[float] = pa_checks.Field(ge=0, le=1, nullable=True)
    low: Series[float] = pa_checks.Field(ge=0, le=1, nullable=True)
    answered: Series[int] = pa_checks.Field(ge=0)
    """Of the class, or of those at or above the threshold where there is one."""
    missing: Series[float] = pa_checks.Field(gt=0, nullable=True)
    """Where there is none: how many more answers would give one, if as many of them were right as so far. Null where at
    no score so many were right."""


class ReviewerAgreement(Table):
    """How often two reviewers answered the same."""

    reviewer: Series[str]
    other: Series[str]
    questions: Series[int] = pa_checks.Field(gt=0)
    """That both answered with right or wrong."""
    same: Series[int] = pa_checks.Field(ge=0)
    kappa: Series[float] = pa_checks.Field(ge=-1, le=1, nullable=True)
    """Cohen's; null where both gave one and the same answer to all."""
