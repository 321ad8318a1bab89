"""The check of labels in a few numbers, and as a page."""

from __future__ import annotations

import math

import pandas as pd
import plotly.graph_objects as go

from xmodal_kedro.labels.check.calibration import expected_calibration_error
from xmodal_kedro.reports import html

TITLES = {
    ("visual", "seen"): "Labels by sight, of what is seen",
    ("visual", "heard"): "Labels by sight, of what is heard",
    ("audio", "heard"): "Labels by ear, of what is heard",
    ("target", "heard"): "Training targets, of what is heard",
}
MAX_CLASSES = 60
"""Rows of a table of the page; `label_quality` has all of them."""
MICRO = ("hit", "top1", "top5", "precision", "recall", "f1")
MACRO = {"macro_precision": "precision", "macro_recall": "recall", "macro_f1": "f1", "map": "average_precision"}


def metrics(label_quality: pd.DataFrame, label_reliability: pd.DataFrame) -> dict[str, float]:
    """The averages by name: `label_check.audio.heard.top5`, and `label_check.audio.heard.branch.top5` where a label
    above or below the true class in the ontology counts as right. What is not known is left out.
    """
    found: dict[str, float] = {}
    for row in label_quality[label_quality["average"] != "class"].to_dict("records"):
        prefix = _prefix(row["labels"], row["against"], row["match"])
        if row["average"] == "micro":
            found[f"{prefix}.clips"] = float(row["clips"])
            found |= {f"{prefix}.{name}": row[name] for name in MICRO}
        else:
            found |= {f"{prefix}.{name}": row[column] for name, column in MACRO.items()}
    for (labels, against, match), bins in label_reliability.groupby(["labels", "against", "match"]):
        found[f"{_prefix(labels, against, match)}.calibration_error"] = expected_calibration_error(bins)
    return {name: float(value) for name, value in sorted(found.items()) if not math.isnan(value)}


def report(label_quality: pd.DataFrame, diagram: go.Figure, clip_truth: pd.DataFrame) -> str:
    """One HTML page that needs nothing beside it."""
    overall = label_quality[label_quality["average"] == "micro"]
    opening = html.paragraph(
        f"Held against what is known of {len(clip_truth):,} clips of {clip_truth['video_id'].nunique():,} recordings.",
        "lead",
    )
    branch = overall[(overall["match"] == "branch") & overall["clips"].gt(0)]
    figures = [
        (TITLES[row["labels"], row["against"]], f"{_percent(row['hit'])} %", "of clips have a right label that counts")
        for row in branch.to_dict("records")
    ]
    return html.page(
        "How good the labels are",
        [
            f"<header><h1>How good the labels are</h1>{opening}{html.headline(figures)}</header>",
            _overall(overall),
            html.section(
                "Calibration",
                html.paragraph(
                    "How often a teacher's stored labels are right, by their score. The error is the mean distance "
                    "from the diagonal, weighted by labels (Naeini et al. 2015)."
                ),
                html.figure(diagram, "calibration"),
            ),
            *(_by_class(label_quality, labels, against) for labels, against in TITLES),
        ],
    )


def _overall(overall: pd.DataFrame) -> str:
    rows = [
        (
            f"{TITLES[row['labels'], row['against']]}, {'same class' if row['match'] == 'exact' else 'same branch'}",
            f"{row['clips']:,}",
            *(_percent(row[name]) for name in ("top1", "top5", "hit", "precision", "recall", "f1")),
        )
        for row in overall.to_dict("records")
    ]
    return html.section(
        "Over all clips",
        html.paragraph(
            "Percent. Top 1 and top 5 look at a teacher's best labels, the others at those that reach merging's "
            "thresholds. In the same branch is also a label that stands above or below the true class in the ontology. "
            "Precision is too low where the truth does not name all that is heard."
        ),
        html.table(("", "Clips", "Top 1", "Top 5", "Hit", "Precision", "Recall", "F1"), rows, numbers=range(1, 8)),
    )


def _by_class(label_quality: pd.DataFrame, labels: str, against: str) -> str:
    rows = label_quality[(label_quality["labels"] == labels) & (label_quality["against"] == against)]
    rows = rows[(rows["average"] == "class") & (rows["match"] == "exact")]
    if rows.empty:
        return ""
    rows = rows.sort_values(["clips", "labelled", "name"], ascending=[False, False, True])
    shown = rows.head(MAX_CLASSES)
    cells = [
        (
            row["name"],
            f"{row['clips']:,}",
            f"{row['labelled']:,}",
            *(_percent(row[name]) for name in ("precision", "recall", "f1", "average_precision")),
        )
        for row in shown.to_dict("records")
    ]
    return html.section(
        TITLES[labels, against],
        *(
            [html.paragraph(f"The {MAX_CLASSES} classes of most clips, of {len(rows):,}.")]
            if len(rows) > len(shown)
            else []
        ),
        html.table(
            ("Class", "Clips", "Labelled so", "Precision", "Recall", "F1", "Average precision"),
            cells,
            numbers=range(1, 7),
        ),
    )


def _prefix(labels: object, against: object, match: object) -> str:
    return f"label_check.{labels}.{against}{'.branch' if match == 'branch' else ''}"


def _percent(share: float) -> str:
    return "–" if math.isnan(share) else f"{100 * share:.0f}"
