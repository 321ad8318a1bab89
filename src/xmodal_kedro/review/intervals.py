"""Intervals of a share that is estimated from weighted answers."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm


def effective_number(weights: NDArray[np.float64]) -> float:
    """How many answers of equal weight would be as certain: (sum of w)^2 / sum of w^2.

    Kish, "Survey Sampling", Wiley 1965, section 11.7. 0 without answers.
    """
    total = float(weights.sum())
    return total**2 / float((weights**2).sum()) if total > 0 else 0.0


def wilson(share: float, number: float, confidence: float) -> tuple[float, float]:
    """Ends of the score interval of a share, each of which holds with a probability of `confidence`.

    Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the American Statistical
    Association 22, 1927. 0 and 1 without answers.

    Args:
        share: that was observed, 0..1.
        number: of answers; may be an effective number.
        confidence: of one end.
    """
    if number <= 0:
        return 0.0, 1.0
    z = float(norm.ppf(confidence))
    middle = share + z**2 / (2 * number)
    reach = z * math.sqrt(share * (1 - share) / number + z**2 / (4 * number**2))
    scale = 1 + z**2 / number
    return max(0.0, (middle - reach) / scale), min(1.0, (middle + reach) / scale)


def number_for(share: float, low: float, confidence: float) -> float:
    """The number of answers with which the lower end of a share reaches `low`; infinite if the share is not above it.

    From Wilson's equation (share - low)^2 = z^2 low (1 - low) / number.
    """
    z = float(norm.ppf(confidence))
    return z**2 * low * (1 - low) / (share - low) ** 2 if share > low else math.inf
