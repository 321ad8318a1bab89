"""Parameters of `merge_labels`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from .base import Params


class ModalityParams(Params):
    """What of one teacher's labels becomes a target."""

    threshold: float = Field(ge=0, le=1)
    """Labels below this score are dropped."""
    top_k: int = Field(ge=1)
    """Most labels of a clip, best first."""
    max_rate: float | None = Field(None, gt=0, le=1)
    """Largest share of all clips that a class may label. Where it would label more, its threshold rises until it does
    not, so that a class of which the teacher is too sure does not flood; null sets no limit."""


class AgreementParams(Params):
    """When a label of one modality supports one of the other, for the rule `agreement`."""

    ancestors: bool = True
    """Whether a class supports its ancestors and descendants in the ontology, as `Dog` does `Animal` and `Bark`. It
    always supports itself."""
    associations: bool = True
    """Whether classes support each other that occur together more often than chance has it."""
    min_pmi: float = Field(1.0, gt=0)
    """Least pointwise mutual information of two associated classes, bits: 1 is twice as often as by chance..."""
    min_videos: int = Field(5, ge=1)
    """...in at least so many videos. The clips of one video are no independent evidence."""


class MergeParams(Params):
    """`parameters/merge_labels.yml`"""

    rule: Literal["union", "agreement", "visual_only", "audio_only"] = "union"
    """Whose classes become targets: both teachers' (`union`, the paper's reading), those that a label of the other
    modality supports, or one teacher's for ablation."""
    visual: ModalityParams
    audio: ModalityParams
    agreement: AgreementParams = AgreementParams()
    visual_names: Literal["own", "sounds"] = "own"
    """`own` keeps the visual teacher's classes; `sounds` puts in their place the sounds that they make, as its card's
    `sounds` tells, so that two breeds of dog are one class, and the audio teacher's."""
    drop_silent: bool = False
    """Whether visual classes that make no sound, as the card's `sounds` tells, are left out of the targets. They still
    support what they are associated with."""
    parents: bool = False
    """Whether a target's ancestors in the ontology are targets too, with the same weight. Needs the audio teacher's
    `ontology`."""
    targets: Literal["hard", "soft"] = "hard"
    """`hard` gives every target the weight 1, `soft` the teacher's score."""
    min_clips: int = Field(10, ge=1)
    """Classes of fewer clips are dropped."""
    max_clips: int | None = Field(None, ge=1)
    """Most clips of a class: of a more frequent one, an even draw is kept, the same clips for every class as far as it
    goes; null sets no limit."""
    validation_fraction: float = Field(0.15, gt=0, lt=1)
    """Share of videos held out for validation, by hash of `video_id`; near-duplicates go together."""

    @model_validator(mode="after")
    def _limits_in_order(self) -> MergeParams:
        if self.max_clips is not None and self.max_clips < self.min_clips:
            raise ValueError(
                f"merge_labels.max_clips ({self.max_clips}) is less than min_clips ({self.min_clips}): set at least "
                "that in parameters/merge_labels.yml"
            )
        return self

    def of(self, modality: str) -> ModalityParams:
        """What of the labels of `visual` or `audio` becomes a target."""
        return {"visual": self.visual, "audio": self.audio}[modality]
