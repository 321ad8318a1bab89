"""Parameters of `sample`."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field, model_validator

from .base import Params


class SampleParams(Params):
    """`conf/sample/parameters/sample.yml`: the synthetic sample data."""

    ADDED: ClassVar[dict[str, Any]] = {"blind_share": 0.0, "deaf_share": 0.0}

    seed: int = 0
    videos: int = Field(132, ge=1)
    """Number of unlabelled videos."""
    min_s: float = Field(10.0, gt=0)
    """Shortest video, seconds."""
    max_s: float = Field(30.0, gt=0)
    """Longest video, seconds."""
    teacher_examples_per_class: int = Field(24, ge=4)
    """Labelled images or audio clips per class that each teacher is trained on."""
    teacher_steps: int = Field(200, ge=1)
    """Training steps of each teacher."""
    blind_share: float = Field(0.0, ge=0, le=1)
    """Share of the classes that are seen and heard to which the visual teacher is blind: what it takes for background.
    Public teachers know a part of what videos show."""
    deaf_share: float = Field(0.0, ge=0, le=1)
    """Share of these classes to which the audio teacher is deaf: what it takes for no sound that it knows. They are
    others than those that the visual teacher does not see, as far as both shares add up to no more than 1."""
    benchmark_clips_per_class: int = Field(20, ge=5, multiple_of=5)
    """Clips per class of the benchmark, spread evenly over its five folds."""

    @model_validator(mode="after")
    def _lengths_in_order(self) -> SampleParams:
        if self.min_s > self.max_s:
            raise ValueError(
                f"sample.min_s ({self.min_s}) exceeds sample.max_s ({self.max_s}): set min_s <= max_s in "
                "parameters/sample.yml"
            )
        return self
