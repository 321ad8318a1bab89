"""Tables of `merge_labels`: from candidates to training targets."""

from __future__ import annotations

from typing import Any

import pandera.pandas as pa_checks
import pyarrow as pa
from pandera.typing.pandas import Series

from .base import Table, column


class CandidateClasses(Table):
    """A class that a training target may have, before anything is counted."""

    index: Series[int] = pa_checks.Field(ge=0, unique=True)
    name: Series[str] = pa_checks.Field(unique=True)
    audioset_id: Series[str]
    silent: Series[bool]
    stands_for: Series[str]
    """Indices of the candidates that are sounds of this one, joined by commas: itself, for a sound."""
    ancestors: Series[str]
    """Indices of the candidates above those in the ontology, joined by commas."""
    parents: Series[str]
    """`audioset_id` of its parents in the ontology, joined by commas; of a picture's class, those of its sounds."""


class LabelClasses(Table):
    """Which candidate a teacher's label becomes; a label of several sounds has several rows."""

    modality: Series[str] = pa_checks.Field(isin=["visual", "audio"])
    label: Series[str]
    index: Series[int] = pa_checks.Field(ge=0)


class LabelCounts(Table):
    """How often something occurs in some shards of labels: see `labelling.counts`."""

    what: Series[str] = pa_checks.Field(isin=["clips", "scores", "compared", "pair_clips", "pair_videos", "targets"])
    modality: Series[str] = pa_checks.Field(isin=["", "visual", "audio", "both"])
    first: Series[int] = pa_checks.Field(ge=0)
    second: Series[int] = pa_checks.Field(ge=0)
    count: Series[int] = pa_checks.Field(ge=0)


LABEL_COUNTS_ARROW = LabelCounts.arrow_schema()


class ClassThresholds(Table):
    """From which score on a class of one modality counts."""

    modality: Series[str] = pa_checks.Field(isin=["visual", "audio"])
    index: Series[int] = pa_checks.Field(ge=0)
    """Of the candidate."""
    name: Series[str]
    clips: Series[int] = pa_checks.Field(ge=0)
    """Clips in which it is among the best labels over the modality's threshold..."""
    kept_clips: Series[int] = pa_checks.Field(ge=0)
    """...and those that are left under the limit of its rate."""
    cut: Series[int] = pa_checks.Field(ge=0)
    """First bin of `labelling.selection` that counts; 0 where the rate is no hindrance."""
    threshold: Series[float] = pa_checks.Field(ge=0, le=1)
    """Score at which that bin begins."""


class ClassAssociations(Table):
    """A visual and an audio class that occur together."""

    visual: Series[str]
    audio: Series[str]
    visual_index: Series[int] = pa_checks.Field(ge=0)
    audio_index: Series[int] = pa_checks.Field(ge=0)
    clips: Series[int] = pa_checks.Field(ge=0)
    videos: Series[int] = pa_checks.Field(ge=0)
    pmi: Series[float]
    """Pointwise mutual information over clips, bits."""
    support: Series[str] = pa_checks.Field(isin=["", "same", "ancestor", "association"])
    """Why one supports the other; empty where it does not."""


class DroppedClasses(Table):
    """A class that a teacher names and that is no class of the training target."""

    name: Series[str] = pa_checks.Field(unique=True)
    modality: Series[str] = pa_checks.Field(isin=["visual", "audio", "both"])
    clip_count: Series[int] = pa_checks.Field(ge=0)
    """Clips in which it is among the best labels over the threshold."""
    target_count: Series[int] = pa_checks.Field(ge=0)
    """Clips of which it would be a target."""
    reason: Series[str] = pa_checks.Field(isin=["silent", "over_rate", "not_agreed", "too_few_clips"])


class Labels(Table):
    """The training target of one clip."""

    clip_id: Series[str] = pa_checks.Field(unique=True)
    video_id: Series[str]
    split: Series[str] = pa_checks.Field(isin=["train", "validation"])
    targets: Series[object] = column(pa.list_(pa.int32()))
    weights: Series[object] = column(pa.list_(pa.float32()))

    @pa_checks.dataframe_check(error="every target must have its weight")
    def targets_have_weights(cls, labels: Any) -> Any:
        return labels["targets"].map(len) == labels["weights"].map(len)


LABELS_ARROW = Labels.arrow_schema()


class LabelVocabulary(Table):
    """One class of the training target."""

    index: Series[int] = pa_checks.Field(ge=0, unique=True)
    name: Series[str] = pa_checks.Field(unique=True)
    modality: Series[str] = pa_checks.Field(isin=["visual", "audio", "both"])
    clip_count: Series[int] = pa_checks.Field(gt=0)
    audioset_id: Series[str]
    """In the AudioSet ontology; empty where not known."""
    parents: Series[str]
    """`audioset_id` of its parents in the ontology, joined by commas."""
    kept_share: Series[float] = pa_checks.Field(ge=0, le=1)
    """Share of its clips that are kept under the cap; 1 without one. `clip_count` is of those."""
