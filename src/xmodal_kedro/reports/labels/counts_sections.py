"""Sections of the label report: from labels to targets, and the classes."""

from __future__ import annotations

from itertools import pairwise

import pandas as pd
import plotly.graph_objects as go

from xmodal_kedro.labels.summary import MODALITIES, SENSES, LabelSummary, asked, mean
from xmodal_kedro.params import MergeParams
from xmodal_kedro.reports import html

STAGES = {
    "stored": "stored by the teacher",
    "over_threshold": "over the threshold, among the best of their clip",
    "candidate": "of a class that may be a target",
    "under_rate": "within the limit of their class's rate",
    "agreed": "supported by a label of the other modality",
    "in_vocabulary": "of a class that enough clips have",
    "kept": "within the limit of a class's clips",
}
"""Each of `review.STAGES`: labels that are left are..."""
LOST = {
    "stored": "no label stored",
    "over_threshold": "no label over the threshold",
    "candidate": "no class that may be a target",
    "under_rate": "every label over the limit of its class's rate",
    "agreed": "no label supported by the other modality",
    "in_vocabulary": "no class that enough clips have",
    "kept": "every class over the limit of its clips",
}
"""Why no label of a clip passed a stage."""
UNLABELLED = {"no_picture": "without a picture", "below_min_score": "without a score worth storing"}
"""Why a teacher gave a clip no label."""
REASONS = {
    "silent": "makes no sound",
    "over_rate": "too few clips under the limit of its rate",
    "not_agreed": "supported in too few clips by the other modality",
    "too_few_clips": "too few clips",
}
"""Of `DroppedClasses`, in words for people."""
NAMES_SHOWN = 12
"""Of the classes dropped for one reason."""
CLASSES_LISTED = 10
"""Most and least frequent classes."""


def from_labels_to_targets(summary: LabelSummary, params: MergeParams) -> str:
    """How many labels of each modality are left after each condition, and why clips have no target."""
    modalities = asked(summary)
    unset = {
        "under_rate": all(params.of(modality).max_rate is None for modality in modalities),
        "agreed": params.rule != "agreement",
        "kept": params.max_clips is None,
    }
    counts = [*(summary["funnel"][modality] for modality in modalities), summary["left"]]
    wholes = [*(summary["funnel"][modality]["stored"] for modality in modalities), summary["clips"]]
    rows = [
        (words, *(_with_share(count[stage], whole) for count, whole in zip(counts, wholes, strict=True)))
        for stage, words in STAGES.items()
        if not unset.get(stage)
    ]
    columns = ("Labels left", *(MODALITIES[modality] for modality in modalities), "clips")
    return html.section(
        "From labels to targets",
        html.paragraph(
            "Labels that are left after each condition, of which one may stand for several classes; and clips with "
            "any of them."
        ),
        html.table(columns, rows, numbers=range(1, len(columns)), totals=1),
        *_without_label(summary),
        *_without_target(summary),
    )


def _without_label(summary: LabelSummary) -> list[str]:
    parts = []
    for modality in MODALITIES:
        reasons = {reason: count for reason, count in sorted(summary["unlabelled"].get(modality, {}).items()) if count}
        if reasons:
            why = ", ".join(f"{count:,} {UNLABELLED[reason]}" for reason, count in reasons.items())
            parts.append(f"{MODALITIES[modality]} {sum(reasons.values()):,} ({why})")
    return [html.paragraph(f"Clips without a stored label: {'; '.join(parts)}.")] if parts else []


def _without_target(summary: LabelSummary) -> list[str]:
    lost = clips_lost(summary)
    if not lost:
        return [html.paragraph("Every clip has a target.")]
    rows = [(why, f"{count:,}") for why, count in lost.items()]
    rows += [("all without a target", f"{sum(lost.values()):,}")]
    return [html.table(("Clips without a target have", "Clips"), rows, numbers=(1,), totals=1)]


def clips_lost(summary: LabelSummary) -> dict[str, int]:
    """Clips without a target, by the first condition that none of their labels met; those of no clip are left out."""
    left = [summary["clips"], *(summary["left"][stage] for stage in STAGES)]
    lost = {why: before - after for why, (before, after) in zip(LOST.values(), pairwise(left), strict=True)}
    return {why: count for why, count in lost.items() if count}


def _with_share(count: int, whole: int) -> str:
    return f"{count:,}\n{html.share(count, whole)}"


def classes(vocabulary: pd.DataFrame, histogram: go.Figure) -> str:
    """The most frequent classes as a picture, the least frequent ones as a list."""
    figure = go.Figure(histogram)
    shown = [name for bars in figure.data for name in bars.y]
    figure.update_yaxes(tickvals=shown, ticktext=[html.shortened(name) for name in shown])
    rare = vocabulary.sort_values(["clip_count", "name"]).head(CLASSES_LISTED)
    by = vocabulary["modality"].value_counts()
    words = {"visual": "seen only", "audio": "heard only", "both": "seen and heard"}
    parts = ", ".join(f"{by[modality]:,} {words[modality]}" for modality in words if modality in by)
    text = f"{len(vocabulary):,} classes: {parts}."
    if len(shown) < len(vocabulary):
        text += f" The {len(shown)} most frequent are shown."
    return html.section(
        "Classes",
        html.paragraph(text),
        html.figure(figure, "label-histogram"),
        html.table(("Least frequent", "Label", "Clips"), _rows(rare, words), numbers=(2,)),
    )


def _rows(vocabulary: pd.DataFrame, words: dict[str, str]) -> list[tuple[str, str, str]]:
    rows = vocabulary[["name", "modality", "clip_count"]].itertuples(index=False)
    return [(name, words[modality], f"{count:,}") for name, modality, count in rows]


def scores(summary: LabelSummary, figure: go.Figure) -> str:
    """How sure each teacher is."""
    rows = []
    for modality in asked(summary):
        best, entropy = mean(summary["best"][modality]), mean(summary["entropy"][modality])
        if best is not None and entropy is not None:
            rows.append((SENSES[modality], f"{best:.2f}", f"{entropy:.2f}"))
    return html.section(
        "Scores",
        html.paragraph(
            "How sure the teachers are. Of each labelled clip: the best score, and the entropy of its stored scores, "
            "normalised to sum to one; 1 bit is as undecided as between two classes. The plot shows the labels over "
            "the threshold and among the best of their clip."
        ),
        html.table(("Mean of clips", "Best score", "Entropy, bits"), rows, numbers=(1, 2)),
        html.figure(figure, "label-scores"),
    )


def dropped_classes(dropped: pd.DataFrame, thresholds: pd.DataFrame, params: MergeParams) -> str:
    """Classes that are none of the target, by reason, and those of which fewer labels count."""
    rows = []
    for reason, words in REASONS.items():
        found = dropped[dropped["reason"] == reason].sort_values(["clip_count", "name"], ascending=[False, True])
        if len(found):
            frequent = found[["name", "clip_count"]].head(NAMES_SHOWN).itertuples(index=False)
            names = [f"{name} ({clips:,})" for name, clips in frequent]
            more = [f"and {len(found) - NAMES_SHOWN:,} more"] if len(found) > NAMES_SHOWN else []
            rows.append((words, f"{len(found):,}", ", ".join([*names, *more])))
    text = "Classes that a teacher names and that are no target, with the clips they label over the threshold."
    parts = (
        [html.paragraph(text), html.table(("Why", "Classes", "Most frequent"), rows, numbers=(1,))]
        if rows
        else [html.paragraph("Every class that a teacher names over the threshold is a target.")]
    )
    return html.section("Left out", *parts, *_raised(thresholds, params))


def _raised(thresholds: pd.DataFrame, params: MergeParams) -> list[str]:
    raised = thresholds[thresholds["cut"] > 0].sort_values(["clips", "name"], ascending=[False, True])
    if raised.empty:
        return []
    limits = " and ".join(
        f"{100 * rate:g} % {words}" for name, words in MODALITIES.items() if (rate := params.of(name).max_rate)
    )
    shown = raised[["name", "modality", "clips", "kept_clips", "threshold"]].head(NAMES_SHOWN)
    rows = [
        (name, SENSES[modality], f"{clips:,}", f"{kept:,}", f"{threshold:.3f}")
        for name, modality, clips, kept, threshold in shown.itertuples(index=False)
    ]
    more = f" The {NAMES_SHOWN} most frequent are shown." if len(raised) > NAMES_SHOWN else ""
    text = f"{len(raised):,} classes would label more than {limits} of all clips: their thresholds are raised.{more}"
    columns = ("Raised", "Label", "Clips", "Left", "Threshold")
    return [html.paragraph(text), html.table(columns, rows, numbers=(2, 3, 4))]
