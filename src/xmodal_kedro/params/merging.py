"""Parameters of `merge_labels`."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from .base import Params


class ModalityParams(Params):
    """Which labels of one teacher become targets."""

    threshold: float = Field(ge=0, le=1)
    """Labels below this score are dropped."""
    top_k: int = Field(ge=1)
    """Max labels of a clip, best first."""
    max_rate: float | None = Field(None, gt=0, le=1)
    """Max fraction of all clips that a class may label. If it would label more, its threshold rises until it does not,
    so that a class with scores too high is not on most clips. Null sets no limit."""


class AgreementParams(Params):
    """When a label of one modality supports one of the other, for the rule `agreement`."""

    ancestors: bool = True
    """Whether a class supports its ancestors and descendants in the ontology, as `Dog` supports `Animal` and `Bark`. A
    class always supports itself."""
    associations: bool = True
    """Whether two classes that occur together more often than by chance support each other."""
    min_pmi: float = Field(1.0, gt=0)
    """Min pointwise mutual information of two associated classes, bits: 1 is twice as often as by chance."""
    min_videos: int = Field(5, ge=1)
    """Min number of videos in which two associated classes occur together. Videos are counted, as the clips of one
    video are not independent."""


class MergeParams(Params):
    """`parameters/merge_labels.yml`"""

    ADDED: ClassVar[dict[str, Any]] = {"precision": None, "drop_seen_on_stills": False}

    rule: Literal["union", "agreement", "visual_only", "audio_only"] = "union"
    """Whose classes become targets. `union`: those of both teachers, as in the paper. `agreement`: those that a label
    of the other modality supports. `visual_only`, `audio_only`: those of one teacher, for ablation."""
    visual: ModalityParams
    audio: ModalityParams
    precision: float | None = Field(None, gt=0, lt=1)
    """Precision that the labels of reviewed classes have to keep: each class of a modality gets the threshold that
    `review_results` found for it, in place of the fixed one, and none of its labels counts if there is no such
    threshold. Classes that nobody was asked about keep the fixed one. Null sets no precision."""
    agreement: AgreementParams = AgreementParams()
    visual_names: Literal["own", "sounds"] = "own"
    """`own` keeps the visual teacher's classes. `sounds` replaces them by the sounds that they make, according to
    `sounds` in its card: two breeds of dog become one class, the same as the audio teacher's."""
    drop_silent: bool = False
    """Whether visual classes that make no sound, according to `sounds` in the card, are left out of the targets. They
    still support the classes that they are associated with."""
    drop_seen_on_stills: bool = False
    """Whether visual labels of clips whose picture is one image for long before and after (`still_picture` in `clips`)
    are left out of the targets, unless a label of what is heard supports them. Such a picture says little of the
    sound. The rule `visual_only` knows nothing of what is heard: it leaves out all of them."""
    parents: bool = False
    """Whether a target's ancestors in the ontology are targets too, with the same weight. Needs the audio teacher's
    `ontology`."""
    targets: Literal["hard", "soft"] = "hard"
    """`hard` gives every target the weight 1, `soft` the teacher's score."""
    min_clips: int = Field(10, ge=1)
    """Classes of fewer clips are dropped."""
    max_clips: int | None = Field(None, ge=1)
    """Max clips of a class. A more frequent class keeps a uniform draw of its clips, where possible the same clips as
    other classes keep. Null sets no limit."""
    validation_fraction: float = Field(0.15, gt=0, lt=1)
    """Fraction of videos held out for validation, by hash of `video_id`. Near-duplicates are assigned to one split."""

    @model_validator(mode="after")
    def _limits_in_order(self) -> MergeParams:
        if self.max_clips is not None and self.max_clips < self.min_clips:
            raise ValueError(
                f"merge_labels.max_clips ({self.max_clips}) is less than min_clips ({self.min_clips}): set at least "
                "that in parameters/merge_labels.yml"
            )
        return self

    def of(self, modality: str) -> ModalityParams:
        """The parameters of a modality, `visual` or `audio`."""
        return {"visual": self.visual, "audio": self.audio}[modality]
