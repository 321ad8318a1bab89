"""Precision and thresholds in many draws from a world whose truth is known: no bias, and promises that are kept."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from tests.review.simulated import Curve, World, constant, logistic
from xmodal_kedro.params import ReviewParams
from xmodal_kedro.review.precision import class_precision, precision_thresholds


@pytest.mark.parametrize(("rounds", "even_share"), [(1, 1.0), (3, 1.0), (3, 0.5)])
def test_the_estimate_is_unbiased(rounds: int, even_share: float) -> None:
    """Also after several rounds, with clips that were searched, and with two teachers of one class."""
    params = ReviewParams(budget=40, even_share=even_share, score_bins=5)
    generator, errors = np.random.default_rng(0), []
    for _ in range(100):
        world = World(generator, 400, logistic(0.5, 6), bins=5)
        table = class_precision(world.pool, world.review(params, rounds), params)
        known = table[table["threshold"].isin([0.4, 0.8])].dropna(subset=["precision"])
        errors += [
            (row.modality, row.threshold, row.precision - world.precision(row.modality, row.threshold))
            for row in known.itertuples()
        ]
    found = pd.DataFrame(errors, columns=["modality", "threshold", "error"]).groupby(["modality", "threshold"])["error"]
    assert (found.size() > 80).all()
    assert (found.mean().abs() < np.maximum(3 * found.sem(), 0.005)).all()


@pytest.mark.parametrize("curve", [logistic(0.5, 8), constant(0.88), constant(0.89), logistic(0.2, 3)])
def test_thresholds_keep_their_promise_in_as_many_draws_as_they_say(curve: Curve) -> None:
    """The precision of labels from the threshold on is at least the wanted one; none found is no promise."""
    params = ReviewParams(budget=60, even_share=1.0, precision=0.9, confidence=0.9)
    generator, broken, found, draws = np.random.default_rng(1), 0, 0, 120
    for _ in range(draws):
        world = World(generator, 1500, curve, modalities=("audio",))
        table = precision_thresholds(class_precision(world.pool, world.review(params), params), params)
        for threshold in table["threshold"].dropna():
            found += 1
            broken += world.precision("audio", threshold) < params.precision
    assert found
    assert broken <= draws * 0.1 + 2 * math.sqrt(draws * 0.1 * 0.9)
