from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from xmodal_kedro.evaluation import probe as probes
from xmodal_kedro.evaluation.benchmarks.benchmark import Split, rotate
from xmodal_kedro.evaluation.logistic_path import fit_path
from xmodal_kedro.evaluation.probe import (
    choose_strength,
    choose_strengths,
    edge_of,
    fit_probe,
    fit_probes,
    inner_folds,
    predict_splits,
)

STRENGTHS = (0.001, 0.1, 1.0)


def blobs(dimensions: int, per_fold: int = 12, spread: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    folds = np.repeat(np.arange(1, 6), per_fold)
    truths = np.tile(np.array(["a", "b", "c"]), 5 * per_fold // 3)
    centres = rng.normal(size=(3, dimensions))
    embeddings = centres[np.searchsorted(["a", "b", "c"], truths)] + spread * rng.normal(size=(len(folds), dimensions))
    return embeddings, truths, folds


def predict_folds(
    embeddings: np.ndarray, truths: np.ndarray, folds: np.ndarray, strengths: tuple[float, ...]
) -> np.ndarray:
    """Names of all clips, each from the split that it is tested in."""
    splits = rotate(folds)
    names = np.empty_like(truths)
    for split, of_split in zip(splits, predict_splits(embeddings, truths, folds, splits, strengths), strict=True):
        names[split.test] = of_split.predicted_N
    return names


@pytest.mark.parametrize("dimensions", [6, 200])
def test_the_probe_is_plain_standardised_logistic_regression(dimensions: int) -> None:
    embeddings, truths, folds = blobs(dimensions)
    train = folds != 1
    ours = fit_probes(embeddings[train], truths[train], [0.1])[0.1]
    plain = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000, tol=1e-8))
    plain.fit(embeddings[train], truths[train])
    np.testing.assert_allclose(
        ours.predict_proba(embeddings[~train]), plain.predict_proba(embeddings[~train]), atol=5e-3
    )


def test_a_fold_s_predictions_come_from_a_probe_fitted_on_the_others() -> None:
    embeddings, truths, folds = blobs(6, spread=2.0)
    predictions = predict_folds(embeddings, truths, folds, STRENGTHS)
    for fold in range(1, 6):
        train = folds != fold
        probe = fit_probe(embeddings[train], truths[train], folds[train], STRENGTHS)
        assert list(predictions[~train]) == list(probe.predict(embeddings[~train]))


def test_the_labels_of_a_test_fold_do_not_leak_into_its_predictions() -> None:
    embeddings, truths, folds = blobs(6, spread=2.0)
    spoiled = truths.copy()
    spoiled[folds == 2] = np.roll(truths[folds == 2], 1)
    honest = predict_folds(embeddings, truths, folds, STRENGTHS)
    assert list(predict_folds(embeddings, spoiled, folds, STRENGTHS)[folds == 2]) == list(honest[folds == 2])


def test_the_sounds_of_a_test_fold_do_not_leak_into_the_probe_either() -> None:
    embeddings, truths, folds = blobs(6, spread=2.0)
    moved = embeddings.copy()
    first = np.flatnonzero(folds == 2)[0]
    moved[np.flatnonzero(folds == 2)[1:]] += 1000
    honest = predict_folds(embeddings, truths, folds, STRENGTHS)
    assert predict_folds(moved, truths, folds, STRENGTHS)[first] == honest[first]


def test_equal_strengths_are_settled_for_the_most_regularised() -> None:
    embeddings, truths, folds = blobs(6, spread=0.01)
    assert choose_strength(embeddings, truths, folds, (1.0, 0.1, 10.0)) == 0.1


def test_each_split_s_probe_states_the_strength_that_was_chosen_for_it() -> None:
    embeddings, truths, folds = blobs(6, spread=2.0)
    splits = rotate(folds)
    stated = [of_split.strength for of_split in predict_splits(embeddings, truths, folds, splits, STRENGTHS)]
    assert stated == choose_strengths(embeddings, truths, folds, splits, STRENGTHS)
    assert len(set(stated)) > 1


@pytest.mark.parametrize(
    ("strength", "strengths", "edge"),
    [
        (0.1, (1.0, 0.01, 0.1), ""),
        (1.0, (1.0, 0.01, 0.1), "largest"),
        (0.01, (1.0, 0.01, 0.1), "smallest"),
        (0.1, (0.1,), ""),
        (0.1, (0.1, 0.1), ""),
    ],
)
def test_an_edge_is_an_end_of_what_was_on_offer(strength: float, strengths: tuple[float, ...], edge: str) -> None:
    assert edge_of(strength, strengths) == edge


def test_noise_is_told_apart_no_better_than_by_chance() -> None:
    embeddings, truths, folds = blobs(20, per_fold=60)
    noise = np.random.default_rng(0).normal(size=embeddings.shape)
    assert np.mean(predict_folds(noise, truths, folds, (0.01,)) == truths) == pytest.approx(1 / 3, abs=0.1)


def test_a_split_need_not_be_a_fold_and_clips_may_be_in_neither_part() -> None:
    embeddings, truths, folds = blobs(6)
    split = Split(1, np.flatnonzero(folds < 4), np.flatnonzero(folds == 5))
    groups = np.arange(len(truths))
    ((names, _),) = predict_splits(embeddings, truths, groups, [split], STRENGTHS)
    probe = fit_probe(embeddings[folds < 4], truths[folds < 4], groups[folds < 4], STRENGTHS)
    assert list(names) == list(probe.predict(embeddings[folds == 5]))


@pytest.mark.parametrize(("groups", "parts"), [(4, 4), (30, 5)])
def test_what_is_held_out_to_choose_is_every_clip_once_and_whole_groups(groups: int, parts: int) -> None:
    truths = np.tile(np.array(["a", "b", "c"]), 40)
    groups_N = np.random.default_rng(0).integers(groups, size=120)
    held_out = np.stack(list(inner_folds(truths, groups_N)))
    assert len(held_out) == parts
    assert (held_out.sum(0) == 1).all()
    for group in np.unique(groups_N):
        assert (held_out[:, groups_N == group] == held_out[:, groups_N == group][:, :1]).all()


@pytest.mark.parametrize("each", [1, 2, 3, 4])
@pytest.mark.parametrize("classes", [2, 3, 8])
def test_of_very_few_clips_there_are_fewer_parts_and_two_classes_are_left_in_each(each: int, classes: int) -> None:
    truths = np.repeat(np.array(list("abcdefgh")[:classes]), each)
    groups = np.arange(len(truths))
    held_out = list(inner_folds(truths, groups))
    assert len(held_out) <= 5
    assert all(len(set(truths[~part])) > 1 for part in held_out)
    if each > 1:
        assert (np.sum(held_out, axis=0) == 1).all()
    embeddings = np.random.default_rng(0).normal(size=(len(truths), 20))
    assert set(fit_probe(embeddings, truths, groups, STRENGTHS).predict(embeddings)) <= set(truths)


def test_of_one_group_nothing_is_held_out_and_the_smallest_strength_taken() -> None:
    embeddings, truths, _ = blobs(6)
    assert not list(inner_folds(truths, np.zeros(len(truths))))
    assert choose_strength(embeddings, truths, np.zeros(len(truths)), STRENGTHS) == 0.001


@pytest.mark.parametrize("are_many", [False, True])
def test_strengths_of_several_splits_are_those_of_each_by_itself(are_many: bool) -> None:
    """Official folds, which share their fits, and groups, which do not."""
    embeddings, truths, folds = blobs(6, spread=2.0)
    groups = np.arange(len(truths)) // 2 if are_many else folds
    splits = rotate(folds)
    together = choose_strengths(embeddings, truths, groups, splits, STRENGTHS)
    alone = [
        choose_strength(embeddings[split.train], truths[split.train], groups[split.train], STRENGTHS)
        for split in splits
    ]
    assert together == alone


def test_two_official_folds_that_hold_each_other_out_are_fitted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    embeddings, truths, folds = blobs(6)
    fitted = []

    def counted(vectors: np.ndarray, *arguments: Any) -> Any:
        fitted.append(len(vectors))
        return fit_path(vectors, *arguments)

    monkeypatch.setattr(probes, "fit_path", counted)
    choose_strengths(embeddings, truths, folds, rotate(folds), STRENGTHS)
    assert fitted == 10 * [3 * 12]
