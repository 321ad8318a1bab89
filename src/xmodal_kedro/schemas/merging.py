"""Tables of `merge_labels`: from candidates to training targets."""

from __future__ import annotations

from typing import Any

import pandera.pandas as pa_checks
import pyarrow as pa
from pandera.typing.pandas import Series

from .base import Table, column, lengths


class CandidateClasses(Table):
    """A class that a training target may have, before anything is counted."""

    index: Series[int] = pa_checks.Field(ge=0, unique=True)
    name: Series[str] = pa_checks.Field(unique=True)
    audioset_id: Series[str]
    silent: Series[bool]
    stands_for: Series[str]
    """Indices of the candidates that are its sounds, joined by commas; for a sound, its own index."""
    ancestors: Series[str]
    """Indices of the ancestors of these sounds in the ontology, joined by commas."""
    parents: Series[str]
    """`audioset_id` of its parents in the ontology, joined by commas; for a visual class, those of its sounds."""


class LabelClasses(Table):
    """The candidate that a teacher's label becomes; a label of several sounds has several rows."""

    modality: Series[str] = pa_checks.Field(isin=["visual", "audio"])
    label: Series[str]
    index: Series[int] = pa_checks.Field(ge=0)


class LabelCounts(Table):
    """How often something occurs in some shards of labels: see `labels.counts`."""

    what: Series[str] = pa_checks.Field(isin=["clips", "scores", "compared", "pair_clips", "pair_videos", "targets"])
    modality: Series[str] = pa_checks.Field(isin=["", "visual", "audio", "both"])
    first: Series[int] = pa_checks.Field(ge=0)
    second: Series[int] = pa_checks.Field(ge=0)
    count: Series[int] = pa_checks.Field(ge=0)


LABEL_COUNTS_ARROW = LabelCounts.arrow_schema()


class ClassThresholds(Table):
    """The lowest score at which a class of one modality counts."""

    modality: Series[str] = pa_checks.Field(isin=["visual", "audio"])
    index: Series[int] = pa_checks.Field(ge=0)
    """Index of the candidate."""
    name: Series[str]
    clips: Series[int] = pa_checks.Field(ge=0)
    """Clips in which it is among the best labels over the modality's threshold."""
    kept_clips: Series[int] = pa_checks.Field(ge=0)
    """Clips that are left under its max rate."""
    cut: Series[int] = pa_checks.Field(ge=0)
    """First bin of `labels.selection` that counts; 0 if the max rate does not limit the class."""
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
    """Reason why they support each other; empty if they do not."""


DROPPED_REASONS = (
    *("silent", "over_rate", "only_on_stills", "over_rate_or_on_stills", "not_agreed", "not_precise", "too_few_clips"),
)


class DroppedClasses(Table):
    """A class of a teacher that is not in the vocabulary."""

    name: Series[str] = pa_checks.Field(unique=True)
    modality: Series[str] = pa_checks.Field(isin=["visual", "audio", "both"])
    clip_count: Series[int] = pa_checks.Field(ge=0)
    """Clips in which it is among the best labels over the threshold."""
    target_count: Series[int] = pa_checks.Field(ge=0)
    """Clips that would have it as a target."""
    reason: Series[str] = pa_checks.Field(isin=DROPPED_REASONS)


class Labels(Table):
    """The training target of one clip."""

    clip_id: Series[str] = pa_checks.Field(unique=True)
    video_id: Series[str]
    split: Series[str] = pa_checks.Field(isin=["train", "validation"])
    targets: Series[object] = column(pa.list_(pa.int32()))
    weights: Series[object] = column(pa.list_(pa.float32()))

    @pa_checks.dataframe_check(error="every target must have its weight")
    def targets_have_weights(cls, labels: Any) -> Any:
        return lengths(labels["targets"]) == lengths(labels["weights"])


LABELS_ARROW = Labels.arrow_schema()


class LabelVocabulary(Table):
    """One class of the training target."""

    index: Series[int] = pa_checks.Field(ge=0, unique=True)
    name: Series[str] = pa_checks.Field(unique=True)
    modality: Series[str] = pa_checks.Field(isin=["visual", "audio", "both"])
    clip_count: Series[int] = pa_checks.Field(gt=0)
    audioset_id: Series[str]
    """Id in the AudioSet ontology; empty if unknown."""
    parents: Series[str]
    """`audioset_id` of its parents in the ontology, joined by commas."""
    kept_share: Series[float] = pa_checks.Field(ge=0, le=1)
    """Share of its clips that are kept under the cap, and counted in `clip_count`; 1 without a cap."""
