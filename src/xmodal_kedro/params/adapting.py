"""Parameters of `adapt`: a classifier of one's own."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from .base import Params
from .choices import BACKBONES
from .judging import FineTuneParams


class AdaptParams(Params):
    """`parameters/adapt.yml`: how labelled clips become a classifier."""

    name: str = Field("my_sounds", pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    """Name of the classifier: of its folder under `06_models`, and of its model in MLflow."""
    mode: Literal["linear", "fine_tune"] = "linear"
    """`linear` fits a linear head on the frozen embedding, in seconds. `fine_tune` trains the whole network further,
    once for each fold and once on all clips, in minutes to hours."""
    representation: Literal["auto", "network", "teacher"] = "auto"
    """What the head is fitted on: the trained network's embedding, or that of the audio teacher. `auto` takes the one
    that classifies held-out clips better, the network's where they are equal. A classifier on the teacher keeps a copy
    of the teacher's files."""
    exclusive: bool | None = None
    """Whether a clip has one class: scores then add up to one. Null decides: if each clip of the table has one label at
    most and no answers of a review are used."""
    reviewed: bool | None = None
    """Whether clips that reviewers confirmed are learnt from. Null: only if there is no labelled file, so that a review
    of other classes does not change a classifier of yours."""
    balanced: bool = True
    """Whether each class weighs the same, however many clips it has."""
    folds: int = Field(5, ge=2, le=20)
    """Parts, in whole groups, of which each is classified by what the others teach; fewer where a class has fewer
    groups. A column `fold` of the table replaces them."""
    regularisation: tuple[Annotated[float, Field(gt=0)], ...] = Field((0.0001, 0.001, 0.01, 0.1, 1.0), min_length=1)
    """Inverse regularisation strengths C of the logistic regression. The one with the lowest cross-entropy on held-out
    groups of the training clips is used."""
    precision: float = Field(0.9, gt=0, lt=1)
    """Precision that the threshold of each class has to keep."""
    confidence: float = Field(0.9, gt=0.5, lt=1)
    """Probability that it does, by the lower end of a one-sided Wilson interval."""
    fine_tune: FineTuneParams = FineTuneParams()
    """How the whole network is trained, with `mode: fine_tune`."""
    batch_size: int = Field(32, ge=1)
    """Clips embedded together."""
    random_seed: int = Field(0, ge=0)
    """Seed of folds, of learning curves and of fine-tuning."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """`auto` uses CUDA if it is available."""

    @model_validator(mode="after")
    def _name_is_free(self) -> AdaptParams:
        if self.name in BACKBONES or self.name == "xmodal":
            raise ValueError(
                f"adapt.name is {self.name}, which is that of a network, whose files it would replace: choose another"
            )
        return self

    @model_validator(mode="after")
    def _fine_tuning_is_of_the_network(self) -> AdaptParams:
        if self.mode == "fine_tune" and self.representation == "teacher":
            raise ValueError(
                "adapt.mode is fine_tune, which trains the network, and adapt.representation is teacher: set "
                "representation: network, or mode: linear, in parameters/adapt.yml"
            )
        return self
