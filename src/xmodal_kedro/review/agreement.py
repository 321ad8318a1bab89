"""How far reviewers agree."""

from __future__ import annotations

import math
import warnings
from itertools import combinations

import pandas as pd
from sklearn.metrics import cohen_kappa_score

from xmodal_kedro.review.answers import HEARD


def reviewer_agreement(answers: pd.DataFrame) -> pd.DataFrame:
    """Cohen's kappa of each pair of reviewers over the questions that both answered with right or wrong.

    Cohen, "A coefficient of agreement for nominal scales", Educational and Psychological Measurement 20, 1960.

    Args:
        answers: as `read_answers` returns them.

    Returns:
        `ReviewerAgreement`, pairs in the order of names; those without a common question are left out. Kappa is null
        where both gave one and the same answer to all: chance would agree as well.
    """
    said = answers[answers["answer"].isin(list(HEARD))].assign(heard=lambda rows: rows["answer"].map(HEARD))
    table = said.pivot(index=["clip_id", "name"], columns="reviewer", values="heard")
    rows = []
    for one, other in combinations(sorted(table.columns), 2):
        both = table[[one, other]].dropna()
        if len(both):
            same = int((both[one] == both[other]).sum())
            rows.append((one, other, len(both), same, _kappa(both[one].tolist(), both[other].tolist())))
    kinds = {"reviewer": "str", "other": "str", "questions": "int64", "same": "int64", "kappa": "float64"}
    return pd.DataFrame(rows, columns=list(kinds)).astype(kinds)


def _kappa(one: list[str], other: list[str]) -> float:
    if len({*one, *other}) < 2:
        return math.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(cohen_kappa_score(one, other))
