"""The label report: what the labels are worth, to be read before anything is trained on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go

from xmodal_kedro.labels.summary import MODALITIES, LabelSummary
from xmodal_kedro.params import MergeParams
from xmodal_kedro.reports import html
from xmodal_kedro.reports.labels.agreement_sections import agreement, associations
from xmodal_kedro.reports.labels.clip_views import ClipView
from xmodal_kedro.reports.labels.contact_sheet import STYLE, clip_cards
from xmodal_kedro.reports.labels.counts_sections import classes, dropped_classes, from_labels_to_targets, scores

TITLE = "Machine labels"
RULES = {
    "union": "the classes of both teachers",
    "agreement": "classes that a label of the other modality supports",
    "visual_only": "the visual teacher's classes alone",
    "audio_only": "the audio teacher's classes alone",
}
"""Rules of merging, in words for people."""


@dataclass(frozen=True)
class LabelReportInputs:
    """What the report is made from: the data sets of these names, see `schemas`, and the clips that it shows."""

    label_summary: LabelSummary
    label_metrics: dict[str, float]
    label_vocabulary: pd.DataFrame
    candidate_classes: pd.DataFrame
    dropped_classes: pd.DataFrame
    class_thresholds: pd.DataFrame
    class_associations: pd.DataFrame
    label_histogram: go.Figure
    label_scores: go.Figure
    association_matrix: go.Figure
    params: MergeParams
    random: Sequence[ClipView]
    contradictory: Sequence[ClipView]


def render(inputs: LabelReportInputs) -> str:
    """One HTML page that needs nothing beside it."""
    parts = [
        _opening(inputs),
        _random(inputs.random),
        from_labels_to_targets(inputs.label_summary, inputs.params),
        classes(inputs.label_vocabulary, inputs.label_histogram),
        scores(inputs.label_summary, inputs.label_scores),
        agreement(inputs.label_summary, inputs.candidate_classes, inputs.params),
        associations(inputs.class_associations, inputs.association_matrix, inputs.params),
        _contradictory(inputs.contradictory),
        dropped_classes(inputs.dropped_classes, inputs.class_thresholds, inputs.params),
    ]
    return html.page(TITLE, parts, STYLE)


def headline(metrics: dict[str, float]) -> str:
    """The numbers to know first.

    Args:
        metrics: of `metrics.label_metrics`.
    """

    def told(name: str, form: str) -> str:
        value = metrics.get(f"labels.{name}")
        return "–" if value is None else format(value, form).replace("%", " %")

    figures = [
        (
            "Clips with a target",
            told("targeted_share", ".0%"),
            f"{told('classes_per_targeted_clip', '.1f')} classes each",
        ),
        ("Classes", told("classes", ",.0f"), f"as diverse as {told('classes.effective', ',.0f')} equal ones"),
        ("Teachers agree", told("agreeing_share", ".0%"), "of clips that both label"),
        ("Left out", told("classes.dropped", ",.0f"), "classes"),
    ]
    return html.headline(figures)


def _opening(inputs: LabelReportInputs) -> str:
    params = inputs.params
    limits = "; ".join(
        f"{words} from a score of {params.of(modality).threshold:g}, the best {params.of(modality).top_k} of a clip"
        for modality, words in MODALITIES.items()
    )
    lead = (
        f"Targets of {inputs.label_summary['clips']:,} clips by the rule {params.rule}: {RULES[params.rule]}. Labels "
        f"count {limits}."
    )
    return f"<header><h1>{TITLE}</h1>{html.paragraph(lead, 'lead')}{headline(inputs.label_metrics)}</header>"


def _random(views: Sequence[ClipView]) -> str:
    return html.section(
        "A random sample",
        html.paragraph(
            "An even draw of all clips. Bars are scores; labels in grey do not count, for they are below the threshold "
            "or not among the best."
        ),
        clip_cards(views),
    )


def _contradictory(views: Sequence[ClipView]) -> str:
    heading = "The most contradictory clips"
    if not views:
        return html.section(heading, html.paragraph("No clip has labels of both modalities without any support."))
    text = "Both teachers are sure, and no label of one supports a label of the other. The surest are shown."
    return html.section(heading, html.paragraph(text), clip_cards(views))
