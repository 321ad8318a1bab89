"""Cohen's kappa of each pair of reviewers."""

from __future__ import annotations

import pandas as pd
import pytest

from xmodal_kedro.review.agreement import reviewer_agreement
from xmodal_kedro.schemas import ReviewerAgreement


def answers(**of: str) -> pd.DataFrame:
    """By reviewer, a letter for each of the clips 0, 1, ...: right, wrong, unsure, also, or a space for none."""
    said = {"r": "right", "w": "wrong", "u": "unsure", "a": "also"}
    rows = [
        (f"c{clip}", "Dog", said[letter], reviewer, 1.0)
        for reviewer, letters in of.items()
        for clip, letter in enumerate(letters)
        if letter != " "
    ]
    return pd.DataFrame(rows, columns=["clip_id", "name", "answer", "reviewer", "seconds"])


def test_kappa_is_that_of_the_questions_of_both() -> None:
    table = ReviewerAgreement.validate(reviewer_agreement(answers(ben="rrwwr u", anna="rrwrww ", carla="      r")))
    (row,) = table.to_dict("records")
    assert (row["reviewer"], row["other"], row["questions"], row["same"]) == ("anna", "ben", 5, 3)
    by_chance = 3 / 5 * 3 / 5 + 2 / 5 * 2 / 5
    assert row["kappa"] == pytest.approx((3 / 5 - by_chance) / (1 - by_chance))


def test_a_class_that_was_added_is_right() -> None:
    (row,) = reviewer_agreement(answers(anna="aw", ben="rw")).to_dict("records")
    assert (row["same"], row["kappa"]) == (2, 1.0)


def test_one_and_the_same_answer_to_all_says_nothing() -> None:
    table = reviewer_agreement(answers(anna="rrr", ben="rrr"))
    assert table["kappa"].isna().all() and table["same"].tolist() == [3]


def test_one_reviewer_has_nobody_to_agree_with() -> None:
    assert ReviewerAgreement.validate(reviewer_agreement(answers(anna="rw"))).empty
    assert ReviewerAgreement.validate(reviewer_agreement(answers())).empty
