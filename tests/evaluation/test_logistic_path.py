from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from xmodal_kedro.evaluation.logistic_path import fit_path

STRENGTHS = (0.001, 0.01, 0.1, 1.0, 10.0)


def clips(classes: int, correlated: bool = True) -> tuple[NDArray[np.float64], NDArray]:
    """Standardised vectors, whose variances along axes differ by orders of magnitude, and their classes."""
    rng = np.random.default_rng(classes)
    truths = np.array([f"class {number}" for number in rng.integers(classes, size=240)])
    centres = {name: rng.normal(size=40) for name in np.unique(truths)}
    vectors = np.stack([centres[name] for name in truths]) + rng.normal(size=(240, 40))
    if correlated:
        vectors @= np.diag(np.geomspace(1, 0.01, 40)) @ rng.normal(size=(40, 40))
    return (vectors - vectors.mean(0)) / vectors.std(0), truths


def loss(model: LogisticRegression, vectors: NDArray, truths: NDArray) -> float:
    probabilities = model.predict_proba(vectors)[np.arange(len(truths)), np.searchsorted(model.classes_, truths)]
    return float(-model.C * np.log(probabilities).sum() + 0.5 * (model.coef_**2).sum())


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_solutions_are_those_of_scikit_learn(classes: int) -> None:
    vectors, truths = clips(classes)
    for model, strength in zip(fit_path(vectors, truths, STRENGTHS), STRENGTHS, strict=True):
        exact = LogisticRegression(C=strength, tol=1e-10, max_iter=100_000).fit(vectors, truths)
        usual = LogisticRegression(C=strength, max_iter=2000).fit(vectors, truths)
        assert strength == model.C
        assert model.coef_.shape == exact.coef_.shape
        assert loss(model, vectors, truths) <= max(1.001 * loss(exact, vectors, truths), loss(usual, vectors, truths))
        assert np.mean(model.predict(vectors) == exact.predict(vectors)) > 0.98
        np.testing.assert_allclose(model.predict_proba(vectors), exact.predict_proba(vectors), atol=0.05)


def test_a_solution_hardly_depends_on_the_strengths_before_it() -> None:
    vectors, truths = clips(5)
    alone, last = fit_path(vectors, truths, [1.0])[0], fit_path(vectors, truths, STRENGTHS[:4])[-1]
    assert loss(alone, vectors, truths) == pytest.approx(loss(last, vectors, truths), rel=1e-3)


@pytest.mark.parametrize("strength", [0.5, 100.0, 1000.0])
def test_a_solution_does_not_depend_on_the_other_strengths_that_are_asked_for(strength: float) -> None:
    vectors, truths = clips(5)
    alone, last = fit_path(vectors, truths, [strength])[0], fit_path(vectors, truths, [0.03, 0.1, 0.3, strength])[-1]
    assert (alone.coef_ == last.coef_).all() and (alone.intercept_ == last.intercept_).all()


@pytest.mark.parametrize("strength", [1.0, 100.0, 1000.0])
def test_a_large_strength_alone_is_solved_where_classes_can_be_separated(strength: float) -> None:
    rng = np.random.default_rng(0)
    truths = np.array([f"class {number}" for number in rng.integers(20, size=300)])
    centres = {name: rng.normal(size=300) for name in np.unique(truths)}
    vectors = np.stack([centres[name] for name in truths]) + 2 * rng.normal(size=(300, 300))
    (model,) = fit_path(vectors, truths, [strength])
    exact = LogisticRegression(C=strength, tol=1e-6, max_iter=100_000).fit(vectors, truths)
    assert loss(model, vectors, truths) < 1.02 * loss(exact, vectors, truths)


def test_equal_data_give_equal_bits_and_the_order_of_clips_hardly_matters() -> None:
    vectors, truths = clips(4)
    first, second = fit_path(vectors, truths, [0.1])[0], fit_path(vectors.copy(), truths.copy(), [0.1])[0]
    assert (first.coef_ == second.coef_).all()
    mixed = np.random.default_rng(0).permutation(len(truths))
    other = fit_path(vectors[mixed], truths[mixed], [0.1])[0]
    assert loss(other, vectors, truths) == pytest.approx(loss(first, vectors, truths), rel=1e-3)


def test_vectors_that_say_nothing_give_the_shares_of_the_classes() -> None:
    truths = np.array(["a"] * 30 + ["b"] * 60 + ["c"] * 10)
    (model,) = fit_path(np.zeros((100, 3)), truths, [1.0])
    np.testing.assert_allclose(model.predict_proba(np.zeros((1, 3))), [[0.3, 0.6, 0.1]], atol=0.01)
