"""The page of `review_results`: how precise labels are by score, where people have answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import pandas as pd

from xmodal_kedro.params import ReviewParams
from xmodal_kedro.reports import html

MAX_SUSPECTS = 40
"""Rows of the table; `review_suspects` has all of them."""
WIDTH, HEIGHT = 140, 44
"""Of a small plot, pixels."""
REASONS = {
    "reviewers_differ": "reviewers differ",
    "answer_unlikely": "an unlikely answer",
    "label_unlikely": "an unlikely label",
}


@dataclass(frozen=True)
class ReviewResults:
    """All that the page shows.

    Attributes:
        precision: `ClassPrecision`.
        thresholds: `PrecisionThresholds`.
        agreement: `ReviewerAgreement`.
        suspects: `ReviewSuspects` with `uri`, `start_s`, `end_s` of the clips.
        summary: of `review.summary.metrics`.
        params: what was asked for.
    """

    precision: pd.DataFrame
    thresholds: pd.DataFrame
    agreement: pd.DataFrame
    suspects: pd.DataFrame
    summary: Mapping[str, float]
    params: ReviewParams

    def render(self) -> str:
        """One HTML page that needs nothing beside it."""
        rows = self.thresholds.sort_values(["name", "modality"], key=lambda column: column.str.casefold())
        return html.render(
            "review_results.html.j2",
            summary={name.removeprefix("review."): value for name, value in self.summary.items()},
            classes=[self._class(row) for row in _records(rows)],
            agreement=_records(self.agreement),
            suspects=_records(self.suspects.head(MAX_SUSPECTS)),
            suspicious=len(self.suspects),
            reasons=REASONS,
            params=self.params,
        )

    def _class(self, row: dict[str, Any]) -> dict[str, Any]:
        """A class of a modality with its plot, and its precision over all scores."""
        is_own = (self.precision["name"] == row["name"]) & (self.precision["modality"] == row["modality"])
        own = self.precision[is_own].sort_values("threshold")
        whole = _records(own.head(1))[0]
        return row | {"whole": whole, "all_answered": int(own["answered"].max()), "plot": plot(own, row["wanted"])}


def plot(precision: pd.DataFrame, wanted: float) -> dict[str, Any]:
    """Coordinates of a small plot of the precision at and above each score.

    Args:
        precision: `ClassPrecision` of one class and modality, ascending.

    Returns:
        Points of the `line` and of the `band` between the ends of the interval, as SVG has them; the height of
        `wanted`; and what it shows in words.
    """
    known = precision.dropna(subset=["precision"])

    def points(column: str) -> list[str]:
        return [
            f"{WIDTH * score:.1f},{HEIGHT * (1 - share):.1f}"
            for score, share in zip(known["threshold"], known[column], strict=True)
        ]

    words = "; ".join(
        f"from score {row.threshold:.2f}: {row.precision:.0%} ({row.low:.0%} to {row.high:.0%})"
        for row in known.itertuples(index=False)
    )
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "line": " ".join(points("precision")),
        "band": " ".join([*points("low"), *points("high")[::-1]]),
        "wanted": f"{HEIGHT * (1 - wanted):.1f}",
        "words": words or "too few answers",
    }


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a table, with None for what is not known."""
    return cast("list[dict[str, Any]]", table.astype(object).where(table.notna(), None).to_dict("records"))
