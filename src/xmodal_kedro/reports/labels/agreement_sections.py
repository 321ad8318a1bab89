"""Sections of the label report: where the two modalities support and contradict each other."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from xmodal_kedro.labels.summary import SENSES, LabelSummary
from xmodal_kedro.params import MergeParams
from xmodal_kedro.reports import html
from xmodal_kedro.reports.labels.association_matrix import strongest

PAIRS_SHOWN = 15
CLASSES_SHOWN = 12
WHY = {"same": "same class", "ancestor": "ontology", "association": "together", "": "none"}
"""`support` of `ClassAssociations`, in words for people."""


def agreement(summary: LabelSummary, candidates: pd.DataFrame, params: MergeParams) -> str:
    """How often labels of one modality are supported by the other, over all and by class."""
    both, agreeing = summary["both"], summary["agreeing"]
    if not both:
        return html.section("Agreement", html.paragraph("No clip has labels of both modalities that count."))
    ways = ["the same class"]
    ways += ["one above or below it in the ontology"] if params.agreement.ancestors else []
    if params.rule == "agreement" and params.agreement.associations:
        ways.append("one that it occurs with more often than by chance")
    text = (
        f"{both:,} clips have labels of both modalities that count. In {agreeing:,} of them "
        f"({html.share(agreeing, both)}) one supports another: {', or '.join(ways)}."
    )
    table = by_class(summary, candidates)
    frequent = table[table["clips"] >= params.min_clips]
    parts = [html.paragraph(text)]
    for heading, ascending in (("Most often supported", False), ("Least often supported", True)):
        ranked = frequent.sort_values(["share", "clips", "name"], ascending=[ascending, False, True])
        rows = [
            (str(name), SENSES[str(modality)], f"{clips:,}", html.share(share, 1))
            for name, modality, clips, share in ranked.head(CLASSES_SHOWN).itertuples(index=False)
        ]
        parts.append(html.table((heading, "Label", "Clips", "Share"), rows, numbers=(2, 3)))
    return html.section("Agreement", *parts)


def by_class(summary: LabelSummary, candidates: pd.DataFrame) -> pd.DataFrame:
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


def associations(table: pd.DataFrame, matrix: go.Figure, params: MergeParams) -> str:
    """The strongest pairs of a visual and an audio class, and the matrix of them."""
    least = params.agreement.min_videos
    ranked = strongest(table, params.agreement)
    if ranked.empty:
        text = f"No visual and audio class support each other, or occur together in {least} videos."
        return html.section("Associations", html.paragraph(text))
    rows = [
        (seen, heard, f"{pmi:.1f}".replace("-", "−"), f"{clips:,}", f"{videos:,}", WHY[support])
        for seen, heard, pmi, clips, videos, support in ranked[["visual", "audio", "pmi", "clips", "videos", "support"]]
        .head(PAIRS_SHOWN)
        .itertuples(index=False)
    ]
    return html.section(
        "Associations",
        html.paragraph(
            f"Pairs of a visual and an audio class by pointwise mutual information: 1 bit is twice as often as by "
            f"chance. First those in at least {least} videos, then others that support each other."
        ),
        html.table(("Seen", "Heard", "Bits", "Clips", "Videos", "Support"), rows, numbers=(2, 3, 4)),
        html.figure(matrix, "association-matrix"),
    )
