"""The results of a review in a few numbers."""

from __future__ import annotations

import pandas as pd


def metrics(reviewed: pd.DataFrame, agreement: pd.DataFrame, thresholds: pd.DataFrame) -> dict[str, float]:
    """Numbers by name; those that are not known are left out.

    Args:
        reviewed, agreement, thresholds: `ReviewedClips`, `ReviewerAgreement`, `PrecisionThresholds`.

    Returns:
        `review.questions` with an answer, of `review.clips`; `review.answers` of all reviewers, and
        `review.answers_per_minute`; shares of questions that are `review.right` and `review.conflict`; the mean
        `review.kappa`, weighted by questions; and `review.classes` of both modalities that were asked about, of which
        `review.classes_with_threshold` have one.
    """
    answers, minutes = int(reviewed["reviewers"].sum()), float(reviewed["seconds"].sum()) / 60
    found: dict[str, float] = {
        "review.questions": len(reviewed),
        "review.clips": int(reviewed["clip_id"].nunique()),
        "review.answers": answers,
        "review.classes": len(thresholds),
        "review.classes_with_threshold": int(thresholds["threshold"].notna().sum()),
    }
    if minutes > 0:
        found["review.answers_per_minute"] = answers / minutes
    if len(reviewed):
        found["review.right"] = float((reviewed["answer"] == "right").mean())
        found["review.conflict"] = float((reviewed["answer"] == "conflict").mean())
    known = agreement.dropna(subset=["kappa"])
    if len(known):
        found["review.kappa"] = float((known["kappa"] * known["questions"]).sum() / known["questions"].sum())
    return found
