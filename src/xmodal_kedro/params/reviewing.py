"""Parameters of `review` and `review_results`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .base import Params


class ReviewParams(Params):
    """`parameters/review.yml`: which clips people are asked about, and what their answers have to show."""

    budget: int = Field(200, ge=1)
    """Max clips on the page."""
    classes: tuple[str, ...] = ()
    """Classes to ask about. Empty for all of the vocabulary, those of most clips first."""
    max_classes: int = Field(20, ge=1)
    """Max classes on a page: answers that are spread over many classes say little of each."""
    score_bins: int = Field(10, ge=2, le=64)
    """Bins of equal width from score 0 to 1 over which the clips of a class are drawn evenly."""
    even_share: float = Field(0.7, gt=0, le=1)
    """Share of the budget that is drawn evenly over the bins, at random: precision is estimated from these alone. The
    rest is divided among the most contradictory clips, those nearest to confirmed ones, and diverse ones."""
    random_seed: int = Field(0, ge=0)
    """Seed of the draw. Another one begins another random sample, beside which answers to this one count less."""
    precision: Annotated[float, Field(gt=0, lt=1)] = 0.9
    """Precision that the threshold of a class has to keep."""
    confidence: float = Field(0.9, gt=0.5, lt=1)
    """Probability that the precision of a class is at least `precision`, by the lower end of a Wilson interval."""
