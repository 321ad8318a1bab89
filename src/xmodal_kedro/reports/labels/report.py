"""The label report: how good the labels look, to be read before anything is trained on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from xmodal_kedro.labels.accounting import STAGES
from xmodal_kedro.labels.plan import MODALITIES
from xmodal_kedro.labels.summary import LabelSummary, mean, modalities_of
from xmodal_kedro.params import MergeParams
from xmodal_kedro.reports import html
from xmodal_kedro.reports.labels.contact_sheet import ShownClips, clip_files
from xmodal_kedro.reports.labels.plots import strongest
from xmodal_kedro.schemas import DROPPED_REASONS

ROWS = 12
"""Classes of a table, and classes that are named for one reason."""
RAREST = 10
"""Least frequent classes that are listed."""
PAIRS = 15
"""Pairs of associated classes that are shown."""


@dataclass(frozen=True)
class LabelReport:
    """All that the report shows.

    Attributes:
        labels: as `describe_labels` returns it.
        clips: those to look at and listen to.
        histogram, scores, associations: plots of `reports.labels.plots`.
    """

    labels: Mapping[str, Any]
    clips: ShownClips
    histogram: go.Figure
    scores: go.Figure
    associations: go.Figure

    def render(self) -> str:
        """One HTML page that needs nothing beside it."""
        plots = {"scores": self.scores, "associations": self.associations}
        histogram = html.class_histogram(self.histogram)
        shown = sum(len(bars.y) for bars in histogram.data)
        return html.render(
            "label_report.html.j2",
            **self.labels,
            random=list(map(clip_files, self.clips.random)),
            contradictory=list(map(clip_files, self.clips.contradictory)),
            plots=plots | {"histogram": histogram},
            classes_shown=shown,
        )


def describe_labels(
    summary: LabelSummary,
    metrics: Mapping[str, float],
    vocabulary: pd.DataFrame,
    candidates: pd.DataFrame,
    dropped: pd.DataFrame,
    thresholds: pd.DataFrame,
    associations: pd.DataFrame,
    params: MergeParams,
) -> dict[str, Any]:
    """What the report says of the labels, by the names that its template uses.

    Args:
        summary: sums over all shards.
        metrics: of `labels.metrics.label_metrics`.
        vocabulary, candidates, dropped, thresholds, associations: `LabelVocabulary`, `CandidateClasses`,
            `DroppedClasses`, `ClassThresholds` and `ClassAssociations`.
        params: of merging.
    """
    modalities = modalities_of(summary)
    is_limited = params.precision is not None or any(params.of(modality).max_rate for modality in modalities)
    limits = {"under_rate": is_limited}
    limits |= {"agreed": params.rule == "agreement" or params.drop_seen_on_stills, "kept": params.max_clips is not None}
    supported = support_by_class(summary, candidates)
    supported = supported[supported["clips"] >= params.min_clips]
    raised = thresholds[thresholds["cut"] > 0].sort_values(["clips", "name"], ascending=[False, True])
    return {
        "params": params,
        "summary": summary,
        "metrics": metrics,
        "modalities": modalities,
        "unlabelled": {
            modality: dict(sorted((reason, count) for reason, count in counts.items() if count))
            for modality in MODALITIES
            if any((counts := summary["unlabelled"].get(modality, {})).values())
        },
        "stages": [stage for stage in STAGES if limits.get(stage, True)],
        "lost": clips_lost(summary),
        "classes": len(vocabulary),
        "by_modality": vocabulary["modality"].value_counts().to_dict(),
        "rarest": vocabulary.sort_values(["clip_count", "name"]).head(RAREST).to_dict("records"),
        "certainty": {name: (mean(summary["best"][name]), mean(summary["entropy"][name])) for name in modalities},
        "supported": {
            heading: supported.sort_values(["share", "clips", "name"], ascending=order).head(ROWS).to_dict("records")
            for heading, order in (("Most", [False, False, True]), ("Least", [True, False, True]))
        },
        "pairs": strongest(associations, params.agreement).head(PAIRS).to_dict("records"),
        "dropped": {
            reason: (len(table), table.head(ROWS).to_dict("records"))
            for reason in DROPPED_REASONS
            if len(table := _most_clips(dropped[dropped["reason"] == reason]))
        },
        "max_rates": {name: rate for name in MODALITIES if (rate := params.of(name).max_rate)},
        "raised": (len(raised), raised.head(ROWS).to_dict("records")),
        "precise": _precise(thresholds, params),
    }


def _precise(thresholds: pd.DataFrame, params: MergeParams) -> list[Any]:
    """Classes whose threshold keeps the wanted precision, those of most clips first."""
    if params.precision is None:
        return []
    fixed = thresholds["modality"].map({name: params.of(name).threshold for name in MODALITIES})
    own = thresholds[(thresholds["cut"] == 0) & (thresholds["threshold"] != fixed)]
    return own.sort_values(["clips", "name"], ascending=[False, True]).to_dict("records")


def support_by_class(summary: LabelSummary, candidates: pd.DataFrame) -> pd.DataFrame:
    """Share of a class's clips in which the other modality supports it: `name`, `modality`, `clips`, `share`.

    Args:
        candidates: `CandidateClasses`.
    """
    name_of = dict(zip(candidates["index"], candidates["name"], strict=True))
    rows = [
        (name_of[int(index)], modality, clips, supported / clips)
        for modality, counts in summary["supported"].items()
        for index, (supported, clips) in counts.items()
        if clips
    ]
    return pd.DataFrame(rows, columns=["name", "modality", "clips", "share"])


def clips_lost(summary: LabelSummary) -> dict[str, int]:
    """Clips without a target, by the first of `STAGES` that none of their labels passed; stages of no clip are left
    out."""
    left = [summary["clips"], *(summary["left"][stage] for stage in STAGES)]
    lost = {stage: before - after for stage, (before, after) in zip(STAGES, pairwise(left), strict=True)}
    return {stage: count for stage, count in lost.items() if count}


def _most_clips(classes: pd.DataFrame) -> pd.DataFrame:
    return classes.sort_values(["clip_count", "name"], ascending=[False, True])
