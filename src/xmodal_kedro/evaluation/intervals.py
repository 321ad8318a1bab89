"""Intervals of a share that is estimated from weighted answers about a part of a finite number of clips."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtri

MAX_ANSWERS = 1e9


def effective_number(weights: NDArray[np.float64]) -> float:
    """How many answers of a simple random sample, of endlessly many clips, would be as certain.

    It is Kish's (sum of w)^2 / sum of w^2 ("Survey Sampling", Wiley 1965, section 11.7) with the finite population
    correction of each stratum (Cochran, "Sampling Techniques", 3rd edition, Wiley 1977, section 5.5): where w clips
    stand behind each answer, only w - 1 of them are not known. It is infinite where every clip is answered.

    Args:
        weights: clips for each answer, at least 1 [answers].
    """
    total, unknown = float(weights.sum()), float((weights * (weights - 1)).sum())
    if not total:
        return 0.0
    return total**2 / unknown if unknown > 1e-9 * total else math.inf


def wilson(share: float, number: float, confidence: float) -> tuple[float, float]:
    """Ends of the score interval of a share with a correction for continuity, each with a probability of `confidence`.

    Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the American Statistical
    Association 22, 1927; Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine
    17, 1998, method 4. Without the correction the lower end of shares near 1 is too high: of 15 answers that are all
    right it is 0.9, which a class that is right in 0.89 of its clips reaches in 17 of 100 draws.

    Args:
        share: that was observed, 0..1.
        number: of answers; may be an effective number. Without answers, the ends are 0 and 1.
        confidence: of one end.
    """
    if number <= 0:
        return 0.0, 1.0
    if math.isinf(number):
        return share, share
    return _low(share, number, confidence), 1 - _low(1 - share, number, confidence)


def number_for(share: float, low: float, confidence: float) -> float:
    """The number of answers with which the lower end of a share reaches `low`; infinite if the share is not above."""
    if share <= low:
        return math.inf
    if _low(share, MAX_ANSWERS, confidence) < low:
        return MAX_ANSWERS
    return float(brentq(lambda number: _low(share, number, confidence) - low, 1e-3, MAX_ANSWERS))


def _low(share: float, number: float, confidence: float) -> float:
    """Lower end: where (share - low - 1 / (2 number))^2 = z^2 low (1 - low) / number."""
    z = float(ndtri(confidence))
    root = z**2 - 2 - 1 / number + 4 * share * (number * (1 - share) + 1)
    low = (2 * number * share + z**2 - 1 - z * math.sqrt(max(root, 0.0))) / (2 * (number + z**2))
    return min(max(low, 0.0), share)
