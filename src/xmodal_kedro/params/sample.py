"""Parameters of `sample`."""

from __future__ import annotations

from pydantic import Field, model_validator

from .base import Params


class SampleParams(Params):
    """`conf/sample/parameters/sample.yml`: the synthetic sample data."""

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
