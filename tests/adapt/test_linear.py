from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from tests.adapt.test_targets import NO_REVIEW, table
from xmodal_kedro.adapt.evaluate import HeldOut
from xmodal_kedro.adapt.linear import UNKNOWN_LOGIT, cross_entropies, fit_head, held_out_logits
from xmodal_kedro.adapt.targets import Targets, make_targets
from xmodal_kedro.params import AdaptParams

ONE = AdaptParams(regularisation=(0.1,), balanced=False)


def corpus(
    counts: dict[str, int], size: int = 12, params: AdaptParams = ONE, spread: float = 1.0
) -> tuple[np.ndarray, Targets]:
    """Vectors around a centre for each class, and their targets."""
    rng = np.random.default_rng(0)
    labels = [name for name, count in counts.items() for _ in range(count)]
    centres = {name: 2 * rng.standard_normal(size) for name in counts}
    vectors = np.stack([centres[name] + spread * rng.standard_normal(size) for name in labels]) * 3 + 5
    return vectors, make_targets(table(labels), NO_REVIEW, params)


@pytest.mark.parametrize("counts", [{"a": 20, "b": 12}, {"a": 10, "b": 10, "c": 9}])
@pytest.mark.parametrize("size", [5, 60])
@pytest.mark.parametrize("balanced", [False, True])
def test_a_head_is_scikit_learns_logistic_regression_as_one_matrix(
    counts: dict[str, int], size: int, balanced: bool
) -> None:
    params = AdaptParams(regularisation=(0.1,), balanced=balanced)
    vectors, targets = corpus(counts, size, params, spread=3.0)
    head = fit_head(vectors, targets, params)
    scaler = StandardScaler().fit(vectors)
    expected = LogisticRegression(C=0.1, class_weight="balanced" if balanced else None, tol=1e-8, max_iter=5000)
    expected.fit(scaler.transform(vectors), targets.truths)
    logits = head(vectors)
    exponents = np.exp(logits - logits.max(1, keepdims=True))
    np.testing.assert_allclose(
        exponents / exponents.sum(1, keepdims=True), expected.predict_proba(scaler.transform(vectors)), atol=3e-3
    )


def test_independent_classes_are_fitted_on_the_clips_in_which_they_are_known() -> None:
    vectors, targets = corpus({"a": 12, "b": 12, "c": 12})
    is_heard = targets.is_heard.copy()
    is_heard[::2, 1] = np.nan
    independent = Targets(targets.clips, targets.classes, is_heard, targets.groups, targets.folds, False)
    head = fit_head(vectors, independent, ONE)
    known = ~np.isnan(is_heard[:, 1])
    scaler = StandardScaler().fit(vectors[known])
    expected = LogisticRegression(C=0.1, tol=1e-8, max_iter=5000)
    expected.fit(scaler.transform(vectors[known]), is_heard[known, 1])
    np.testing.assert_allclose(
        head(vectors)[:, 1], expected.decision_function(scaler.transform(vectors)), rtol=0.02, atol=0.02
    )


def test_nothing_of_a_fold_reaches_its_own_logits() -> None:
    """Another truth or another vector of a held-out clip leaves its logits as they are."""
    vectors, targets = corpus({"a": 15, "b": 15}, params=AdaptParams())
    before = held_out_logits(vectors, targets, AdaptParams())
    own = targets.folds == 0
    is_heard = targets.is_heard.copy()
    is_heard[own] = is_heard[own][:, ::-1]
    changed = Targets(targets.clips, targets.classes, is_heard, targets.groups, targets.folds, True)
    np.testing.assert_array_equal(held_out_logits(vectors, changed, AdaptParams())[own], before[own])
    moved = vectors.copy()
    first = np.flatnonzero(own)[0]
    moved[first] += 1.0
    others = own.copy()
    others[first] = False
    np.testing.assert_array_equal(held_out_logits(moved, targets, AdaptParams())[others], before[others])


def test_a_class_that_other_folds_lack_is_never_told_there() -> None:
    vectors, targets = corpus({"a": 6, "b": 6, "c": 2})
    folds = np.zeros(len(targets.clips), np.int64)
    folds[::2] = 1
    folds[targets.truths == 2] = 0
    divided = Targets(targets.clips, targets.classes, targets.is_heard, targets.groups, folds, True)
    assert (held_out_logits(vectors, divided, ONE)[folds == 0, 2] == UNKNOWN_LOGIT).all()


def test_weights_make_a_rare_class_count_as_much() -> None:
    vectors, targets = corpus({"a": 60, "rare": 6}, size=2, spread=3.0)
    recalls = {}
    for balanced in (False, True):
        head = fit_head(vectors, targets, AdaptParams(regularisation=(1.0,), balanced=balanced))
        recalls[balanced] = head(vectors).argmax(1)[targets.truths == 1].mean()
    assert recalls[True] > recalls[False]


def test_cross_entropies_ignore_what_is_not_known() -> None:
    logits = np.array([[2.0, -1.0]])
    known = cross_entropies(logits, np.array([[1.0, 0.0]]), exclusive=False)
    half = cross_entropies(logits, np.array([[1.0, np.nan]]), exclusive=False)
    assert half == pytest.approx(np.log1p(np.exp(-2.0))) and known > half
    assert cross_entropies(logits, np.array([[1.0, 0.0]]), exclusive=True) == pytest.approx(np.log1p(np.exp(-3.0)))


def test_a_head_does_not_depend_on_the_order_of_clips() -> None:
    vectors, targets = corpus({"a": 12, "b": 12, "c": 12})
    order = np.random.default_rng(1).permutation(len(vectors))
    head, other = fit_head(vectors, targets, ONE), fit_head(vectors[order], targets.where(order), ONE)
    np.testing.assert_allclose(head.weight, other.weight, rtol=0.05, atol=1e-3)


def test_a_class_that_other_folds_do_not_teach_is_not_judged_there() -> None:
    """Of classes that do not exclude each other: what cannot be classified is neither right nor wrong."""
    vectors, targets = corpus({"a": 8, "b": 8, "c": 8})
    is_heard = np.where(targets.is_heard == 1, 1.0, np.nan)
    is_heard[:, 0] = targets.is_heard[:, 0]
    is_heard[targets.truths == 1, 1], is_heard[targets.truths == 0, 1] = 1.0, 0.0
    folds = np.arange(len(targets.clips)) % 2
    folds[is_heard[:, 1] == 0] = 0  # where fold 0 is held out, nothing teaches what is not b
    sparse = Targets(targets.clips, ("a", "b"), is_heard[:, :2], targets.groups, folds, False)
    judged = HeldOut.of(held_out_logits(vectors, sparse, ONE), sparse)
    assert np.isnan(judged.is_heard[folds == 0, 1]).all()
    assert not np.isnan(judged.is_heard[(folds == 1) & (targets.truths == 1), 1]).any()
    assert judged.error_after < 0.5
