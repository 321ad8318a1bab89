"""Precision by score from answers: unbiased, with intervals that hold and thresholds that keep their promise."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xmodal_kedro.evaluation.intervals import effective_number, number_for, wilson
from xmodal_kedro.params import ReviewParams
from xmodal_kedro.review.precision import (
    STRATUM,
    answered_prefix,
    answers_missing,
    class_precision,
    precision_thresholds,
)
from xmodal_kedro.schemas import ClassPrecision, PrecisionThresholds

PARAMS = ReviewParams(score_bins=2, precision=0.8, confidence=0.9)


def pool(*strata: tuple[int, list[float]], modality: str = "audio", bins: int = 2) -> pd.DataFrame:
    """Strata of a class: bin, and the scores of its clips in the order of the draw."""
    rows = [
        ("Dog", modality, bin_, bin_ / bins, len(scores), rank, False, "shard-all", f"b{bin_}-{rank}", score)
        for bin_, scores in strata
        for rank, score in enumerate(scores)
    ]
    columns = ["name", "modality", "bin", "low", "stratum_clips", "rank", "searched", "shard", "clip_id", "score"]
    return pd.DataFrame(rows, columns=columns)


def reviewed(answers: dict[str, str], unasked: tuple[str, ...] = ()) -> pd.DataFrame:
    rows = [(clip, "Dog", answer, clip not in unasked, 1, 2.0) for clip, answer in answers.items()]
    return pd.DataFrame(rows, columns=["clip_id", "name", "answer", "asked", "reviewers", "seconds"])


TWO = pool((0, [0.1] * 8), (1, [0.9] * 4))


def prefix(answers: dict[str, str], unasked: tuple[str, ...] = (), of: pd.DataFrame = TWO) -> set[str]:
    return set(answered_prefix(of, reviewed(answers, unasked))["clip_id"])


def test_the_answered_clips_up_to_the_first_without_an_answer_are_the_sample() -> None:
    assert prefix({"b0-0": "right", "b0-1": "wrong", "b0-3": "right", "b1-1": "right"}) == {"b0-0", "b0-1"}


def test_clips_that_cannot_be_judged_are_passed_over() -> None:
    answers = {"b0-0": "unsure", "b0-1": "conflict", "b0-2": "right"}
    table = answered_prefix(TWO, reviewed(answers)).set_index("clip_id")
    assert table["weight"].to_dict() == {"b0-0": 0, "b0-1": 0, "b0-2": 8}


def test_a_class_that_was_added_counts_only_before_a_clip_that_was_asked_about() -> None:
    answers = {"b0-0": "right", "b0-1": "right", "b0-2": "wrong", "b0-3": "right"}
    assert prefix(answers, unasked=("b0-1", "b0-3")) == {"b0-0", "b0-1", "b0-2"}
    assert prefix({"b1-0": "right"}, unasked=("b1-0",)) == set()


def test_the_gap_of_a_long_stratum_ends_its_sample() -> None:
    gap = TWO[~TWO["clip_id"].isin(["b0-2"])]
    assert prefix({"b0-0": "right", "b0-1": "right", "b0-3": "right"}, of=gap) == {"b0-0", "b0-1"}


ANSWER = st.sampled_from(["right", "wrong", "unsure", "conflict"])
ANSWERS = st.dictionaries(st.sampled_from(TWO["clip_id"].tolist()), ANSWER)
SOME = st.sets(st.sampled_from(TWO["clip_id"].tolist()))


@given(answers=ANSWERS, unasked=SOME)
def test_weights_sum_to_the_clips_of_the_strata(answers: dict[str, str], unasked: set[str]) -> None:
    table = answered_prefix(TWO, reviewed(answers, tuple(unasked)))
    for _, rows in table[table["weight"] > 0].groupby(STRATUM):
        assert rows["weight"].sum() == pytest.approx(rows["stratum_clips"].iloc[0])


@given(answers=ANSWERS, more=ANSWERS, unasked=SOME)
def test_more_answers_lose_no_earlier_ones(answers: dict[str, str], more: dict[str, str], unasked: set[str]) -> None:
    assert prefix(answers, tuple(unasked)) <= prefix(more | answers, tuple(unasked))


@settings(max_examples=30)
@given(answers=ANSWERS, seed=st.integers(0, 1000))
def test_the_order_of_rows_does_not_matter(answers: dict[str, str], seed: int) -> None:
    table = reviewed(answers)
    shuffled = TWO.sample(frac=1, random_state=seed), table.sample(frac=1, random_state=seed)
    pd.testing.assert_frame_equal(class_precision(TWO, table, PARAMS), class_precision(*shuffled, PARAMS))


def test_precision_is_weighted_by_the_clips_of_the_strata() -> None:
    answers = {"b0-0": "right", "b0-1": "wrong", "b1-0": "right", "b1-1": "right"}
    table = ClassPrecision.validate(class_precision(TWO, reviewed(answers), PARAMS)).set_index("threshold")
    assert table["clips"].tolist() == [12, 4]
    assert table["precision"].tolist() == [pytest.approx(8 / 12), 1.0]
    assert table["recall"].tolist() == [1.0, pytest.approx(4 / 8)]
    assert table["effective"].tolist() == [pytest.approx(12**2 / (2 * 4 * 3 + 2 * 2)), 4.0]
    assert table[["answered", "right"]].to_numpy().tolist() == [[4, 3], [2, 2]]


def test_precision_is_unknown_where_a_stratum_above_has_no_answer() -> None:
    table = class_precision(TWO, reviewed({"b0-0": "right", "b0-1": "right"}), PARAMS)
    assert table["precision"].isna().all() and table["recall"].isna().all()
    upper = class_precision(TWO, reviewed({"b1-0": "right"}), PARAMS).set_index("threshold")
    assert upper["precision"].isna().tolist() == [True, False]
    assert upper["recall"].isna().all()


def test_a_stratum_in_which_nothing_can_be_judged_is_left_out() -> None:
    answers = dict.fromkeys(["b1-0", "b1-1", "b1-2", "b1-3"], "unsure") | {"b0-0": "right"}
    table = class_precision(TWO, reviewed(answers), PARAMS)
    assert table[["threshold", "clips", "precision"]].to_numpy().tolist() == [[0.0, 8.0, 1.0]]


def test_a_bin_with_many_answers_is_divided() -> None:
    scores = [0.5 + 0.5 * number / 40 for number in range(40)]
    many = pool((1, scores))
    answers = {f"b1-{number}": "right" if score >= 0.75 else "wrong" for number, score in enumerate(scores)}
    table = class_precision(many, reviewed(answers), PARAMS)
    assert table["threshold"].tolist() == [0.5, 0.625, 0.75, 0.875]
    assert table["clips"].tolist() == [40, 30, 20, 10]
    assert table["precision"].tolist() == [0.5, pytest.approx(2 / 3), 1.0, 1.0]


def test_the_lowest_threshold_that_keeps_the_precision_is_chosen() -> None:
    three = pool((0, [0.1] * 40), (1, [0.3] * 40), (2, [0.6] * 40), (3, [0.9] * 40), bins=4)
    answers = {f"b{bin_}-{rank}": "right" for bin_ in (1, 2, 3) for rank in range(10)}
    answers |= {f"b0-{rank}": "wrong" for rank in range(10)}
    params = ReviewParams(score_bins=4, precision=0.8, confidence=0.9)
    table = precision_thresholds(class_precision(three, reviewed(answers), params), params)
    PrecisionThresholds.validate(table)
    (row,) = table.to_dict("records")
    assert (row["threshold"], row["precision"], row["answered"], row["wanted"]) == (0.25, 1.0, 30, 0.8)
    assert row["low"] == pytest.approx(wilson(1.0, 120**2 / (30 * 4 * 3), 0.9)[0])


@pytest.mark.parametrize("top", ["right", "wrong"])
def test_one_clip_that_is_all_of_the_highest_bin_does_not_end_the_search(top: str) -> None:
    clips = pool((0, [0.4] * 400), (1, [0.9]))
    answers = {**{f"b0-{at}": "right" for at in range(60)}, "b1-0": top}
    (row,) = precision_thresholds(class_precision(clips, reviewed(answers), PARAMS), PARAMS).to_dict("records")
    assert row["threshold"] == 0.0 and row["low"] > PARAMS.precision


def test_a_class_that_cannot_keep_it_says_how_many_answers_would() -> None:
    clips = pool((1, [0.9] * 100))
    answers = {f"b1-{rank}": "right" for rank in range(3)}
    (row,) = precision_thresholds(class_precision(clips, reviewed(answers), PARAMS), PARAMS).to_dict("records")
    assert math.isnan(row["threshold"]) and row["answered"] == 3

    def with_more(more: int) -> float:
        answers = {f"b1-{rank}": "right" for rank in range(3 + more)}
        return float(class_precision(clips, reviewed(answers), PARAMS)["low"].iloc[0])

    assert with_more(int(row["missing"])) >= PARAMS.precision > with_more(int(row["missing"]) - 1)


def test_a_class_of_which_all_is_answered_is_known() -> None:
    answers = {f"b1-{rank}": "right" for rank in range(4)}
    (row,) = class_precision(pool((1, [0.9] * 4)), reviewed(answers), PARAMS).to_dict("records")
    assert (row["precision"], row["low"], row["high"], row["effective"]) == (1.0, 1.0, 1.0, math.inf)


def test_a_class_of_one_answer_has_a_row_and_one_without_any_has_none() -> None:
    one = precision_thresholds(class_precision(TWO, reviewed({"b1-0": "wrong"}), PARAMS), PARAMS)
    assert one[["threshold", "missing"]].isna().all(axis=None) and one["answered"].tolist() == [1]
    assert precision_thresholds(class_precision(TWO, reviewed({}), PARAMS), PARAMS).empty
    assert answers_missing(class_precision(TWO, reviewed({"b1-0": "wrong"}), PARAMS), PARAMS) is None


@pytest.mark.parametrize(("right", "number"), [(9, 10), (3, 5), (5, 5), (45, 50)])
def test_the_interval_solves_wilsons_equation(right: int, number: int) -> None:
    """With Yates' correction, half an answer."""
    share, z, half = right / number, 1.2815515655, 0.5 / number
    low, high = wilson(share, number, 0.9)
    assert (share - low - half) ** 2 == pytest.approx(z**2 * low * (1 - low) / number, abs=1e-9)
    if high < 1:
        assert (high - share - half) ** 2 == pytest.approx(z**2 * high * (1 - high) / number, abs=1e-9)


def test_the_interval_of_nothing_and_of_all_is_everything_and_the_share() -> None:
    assert wilson(0.3, 0, 0.9) == (0.0, 1.0)
    assert wilson(0.3, math.inf, 0.9) == (0.3, 0.3)


@given(share=st.floats(0, 1), number=st.floats(0.1, 1e6), confidence=st.floats(0.51, 0.999))
def test_the_share_lies_in_its_interval(share: float, number: float, confidence: float) -> None:
    low, high = wilson(share, number, confidence)
    assert 0 <= low <= share <= high <= 1


@given(share=st.floats(0.55, 1), low=st.floats(0.5, 0.54))
def test_so_many_answers_let_the_lower_end_reach_a_share(share: float, low: float) -> None:
    number = number_for(share, low, 0.9)
    assert wilson(share, number, 0.9)[0] == pytest.approx(low, abs=1e-6)
    assert math.isinf(number_for(low, share, 0.9))


@given(weights=st.lists(st.floats(1, 100), min_size=1))
def test_the_effective_number_grows_with_the_answered_share(weights: list[float]) -> None:
    found = effective_number(np.array(weights))
    kish = sum(weights) ** 2 / sum(weight**2 for weight in weights)
    assert found >= kish * (1 - 1e-9)
    assert effective_number(np.full(7, 1e6)) == pytest.approx(7, rel=1e-5)
    assert math.isinf(effective_number(np.ones(3))) and effective_number(np.zeros(0)) == 0


@pytest.mark.parametrize("clips", [20, 50, 1000])
def test_the_lower_end_holds_at_the_worst_share_and_number_of_answers(clips: int) -> None:
    """A class of less than the wanted precision reaches it in at most one draw of ten, however many are answered."""
    generator, worst = np.random.default_rng(2), 0.0
    for bad in range(math.floor(clips * 0.1) + 1, math.floor(clips * 0.2) + 1):
        for number in range(5, min(clips, 60), 3):
            right = number - generator.hypergeometric(bad, clips - bad, number, 1000)
            effective = effective_number(np.full(number, clips / number))
            reach = {int(count): wilson(count / number, effective, 0.9)[0] >= 0.9 for count in np.unique(right)}
            worst = max(worst, float(np.mean([reach[int(count)] for count in right])))
        if bad > clips * 0.1 + 8:
            break
    assert worst < 0.1 + 3 * math.sqrt(0.09 / 1000)


def test_bins_are_those_of_the_draw_whatever_the_parameter_says_now() -> None:
    answers = {f"b{bin_}-{rank}": "right" for bin_ in (0, 1) for rank in range(4)}
    tables = [
        class_precision(TWO, reviewed(answers), PARAMS.model_copy(update={"score_bins": bins})) for bins in (2, 9)
    ]
    pd.testing.assert_frame_equal(*tables)
