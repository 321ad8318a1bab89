"""The report of `adapt`: how good a classifier is, what it mistakes, and what would make it better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from xmodal_kedro.adapt.calibration import clips_needed
from xmodal_kedro.reports import html
from xmodal_kedro.reports.adapt.plots import best_predictions
from xmodal_kedro.reports.model_card import MEASURES

MAX_MISTAKES = 40
NAMES = {
    "network": "the trained network",
    "teacher": "the audio teacher",
    "log_mel": "log-mel statistics",
    "fine_tuned": "the network trained further",
}
CLEAR = 0.02
"""Difference of two representations from which the report speaks of it."""


@dataclass(frozen=True)
class AdaptReport:
    """All that the report shows.

    Attributes:
        card: of the classifier.
        results: `schemas.AdaptResults`.
        predictions: `schemas.AdaptPredictions`.
        classes: `schemas.AdaptClasses`.
        curve: `schemas.AdaptCurve`.
        confusion, calibration, learning_curve: figures of `reports.adapt.plots`.
    """

    card: Mapping[str, Any]
    results: pd.DataFrame
    predictions: pd.DataFrame
    classes: pd.DataFrame
    curve: pd.DataFrame
    confusion: go.Figure
    calibration: go.Figure
    learning_curve: go.Figure

    def render(self) -> str:
        """One HTML page that needs nothing beside it."""
        card = self.card
        metric = str(self.results["metric"].iloc[0])
        return html.render(
            "adapt_report.html.j2",
            card=card,
            names=NAMES,
            measure=MEASURES[metric],
            value=card["evaluation"][metric],
            rows=self._representations(),
            advice=self.advice(),
            classes=self.classes.to_dict("records"),
            kept=int(self.classes["threshold"].notna().sum()),
            needed=clips_needed(card["precision"], card["adapt"]["confidence"]),
            mistakes=self._mistakes(),
            more=self._more(),
            confusion=self.confusion,
            calibration=self.calibration,
            learning_curve=self.learning_curve,
        )

    def _representations(self) -> list[dict[str, Any]]:
        rows = []
        for name, group in self.results.groupby("representation", sort=False):
            std = float(group["value"].std(ddof=1)) if len(group) > 1 else None
            mean, used = float(group["value"].mean()), bool(group["used"].iloc[0])
            rows.append({"name": NAMES[str(name)], "key": str(name), "mean": mean, "std": std, "used": used})
        return sorted(rows, key=lambda row: -row["mean"])

    def advice(self) -> list[str]:
        """What the comparison says, in sentences; what is amiss comes first."""
        means = {row["key"]: row["mean"] for row in self._representations()}
        said = []
        network, used = means["network"], self.card["representation"]
        if means["log_mel"] > network + CLEAR:
            said.append(
                "Log-mel statistics, which know nothing, distinguish these classes better than the trained network: it "
                "learnt too little for them. Train it on more recordings of the kind that your classes are of, and for "
                "more epochs."
            )
        if means.get("teacher", 0.0) > network + CLEAR and used == "network":
            said.append(
                "The audio teacher's embedding distinguishes these classes better than the trained network's: set "
                "representation: auto or teacher in parameters/adapt.yml."
            )
        elif used == "teacher":
            said.append(
                "The classifier is made on the audio teacher's embedding, which distinguishes these classes better "
                "than the trained network's. It needs the teacher's files, which lie beside it. A network that learns "
                "from that embedding too (train.embedding_weight) comes nearer to it."
            )
        return said

    def _mistakes(self) -> list[dict[str, Any]]:
        """Held-out clips that are classified wrong, the surest first: a label of theirs may be wrong."""
        if self.card["exclusive"]:
            best = best_predictions(self.predictions)
            wrong = best[best["truth"] != best["predicted"]].sort_values("score", ascending=False, kind="stable")
            return [
                {"clip": row["clip"], "labelled": row["truth"], "predicted": row["predicted"], "score": row["score"]}
                for row in wrong.head(MAX_MISTAKES).to_dict("records")
            ]
        known = self.predictions[self.predictions["is_heard"].notna()]
        surprise = (known["score"] - known["is_heard"]).abs()
        wrong = known.assign(surprise=surprise)[surprise > 1 / 2].sort_values(
            "surprise", ascending=False, kind="stable"
        )
        return [
            {
                "clip": row["clip"],
                "labelled": row["name"] if row["is_heard"] else f"not {row['name']}",
                "predicted": f"not {row['name']}" if row["is_heard"] else row["name"],
                "score": row["score"],
            }
            for row in wrong.head(MAX_MISTAKES).to_dict("records")
        ]

    def _more(self) -> dict[str, Any] | None:
        """What ten more clips of each class would give; None where the curve says nothing."""
        continued = self.curve[self.curve["continued"]]
        if not len(continued):
            return None
        last = self.curve[~self.curve["continued"]].iloc[-1]
        row = continued.iloc[0]
        return {
            "more": int(row["clips_per_class"] - last["clips_per_class"]),
            "now": float(last["value"]),
            "then": float(row["value"]),
        }
