"""`benchmarks/simulated_review.py`: a review gives thresholds that make targets precise, with few answers."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.project import PROJECT
from tests.review.simulated import World, embed, logistic
from xmodal_kedro.params import ReviewParams

PARAMS = ReviewParams(budget=60, score_bins=5, precision=0.9, confidence=0.9)


@pytest.fixture(scope="module")
def script() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(PROJECT / "benchmarks")
        yield importlib.import_module("simulated_review")


@pytest.fixture(scope="module")
def corpus(script: Any) -> Any:
    """A class whose labels at the fixed thresholds are right in two of three clips."""
    world = World(np.random.default_rng(5), 800, logistic(0.45, 12), bins=PARAMS.score_bins)
    labels = pd.concat(
        [
            pd.DataFrame({"clip_id": score.index, "name": "Dog", "modality": modality, "score": score.to_numpy()})
            for modality, score in world.scores.items()
        ],
        ignore_index=True,
    )
    labels["right"] = labels["clip_id"].map(world.is_right)
    return script.Corpus(world.pool, labels, embed, {"audio": 0.2, "visual": 0.2})


def test_thresholds_of_a_review_make_targets_precise(script: Any, corpus: Any) -> None:
    rows = list(script.compare(corpus, PARAMS, rounds=4))
    fixed, last = rows[0], [row for row in rows if row["draw"] == "review"][-1]
    assert fixed["precision"] < 0.8
    assert last["thresholds"] >= 1
    assert last["precision"] > 0.9
    assert last["recall"] > 0.2


def test_both_draws_have_as_many_answers_and_they_grow(script: Any, corpus: Any) -> None:
    rows = list(script.compare(corpus, PARAMS, rounds=2))
    by_draw = {draw: [row["answers"] for row in rows if row["draw"] == draw] for draw in ("review", "random")}
    assert by_draw["review"] == by_draw["random"]
    assert by_draw["review"][0] < by_draw["review"][1]


def test_a_clip_of_which_nothing_is_known_is_unsure(script: Any, corpus: Any) -> None:
    asked = pd.DataFrame({"clip_id": ["gone", "c0"], "name": "Dog"})
    said = script.answer(corpus, asked)["answer"].tolist()
    assert said[0] == "unsure" and said[1] in ("right", "wrong")
