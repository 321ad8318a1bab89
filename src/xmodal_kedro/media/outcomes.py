"""What became of the sources: counts by reason, in words and as a picture."""

from __future__ import annotations

from typing import Any

import pandas as pd

COLOURS = {"used whole": "#54a24b", "cut short": "#4c78a8", "not clipped": "#f58518", "rejected": "#b8b8b8"}


def count_reasons(table: pd.DataFrame) -> dict[str, int]:
    """How often each `reason` occurs, most frequent first, equal counts by name."""
    counts = table["reason"].value_counts()
    return {str(reason): int(counts[reason]) for reason in sorted(counts.index, key=lambda code: (-counts[code], code))}


def describe_reasons(table: pd.DataFrame) -> str:
    """The counts in one line."""
    return ", ".join(f"{count} {reason}" for reason, count in count_reasons(table).items()) or "-"


def plot_outcomes(
    videos: pd.DataFrame, rejected: pd.DataFrame, unclipped: pd.DataFrame, cut_short: pd.DataFrame
) -> Any:
    """Horizontal bars, as a plotly figure: how many sources were used whole, in part or not at all, and why not.

    Args:
        videos: `Videos`.
        rejected: `RejectedVideos`.
        unclipped: `UnclippedVideos`.
        cut_short: `CutShortVideos`.
    """
    import plotly.graph_objects as go

    whole = len(videos) - len(unclipped) - len(cut_short)
    bars = {("used whole", "used whole"): whole} | {
        (outcome, f"{outcome}: {reason.replace('_', ' ')}"): count
        for outcome, table in (("cut short", cut_short), ("not clipped", unclipped), ("rejected", rejected))
        for reason, count in count_reasons(table).items()
    }
    names = [name for _, name in bars]
    figure = go.Figure(
        [
            go.Bar(
                x=[count for (kind, _), count in bars.items() if kind == outcome],
                y=[name for kind, name in bars if kind == outcome],
                text=[f"{count:,}" for (kind, _), count in bars.items() if kind == outcome],
                textposition="outside",
                cliponaxis=False,
                orientation="h",
                name=outcome,
                marker_color=colour,
            )
            for outcome, colour in COLOURS.items()
            if any(kind == outcome for kind, _ in bars)
        ]
    )
    figure.update_layout(
        title=f"{len(videos) + len(rejected):,} sources: {whole:,} used whole, {len(cut_short):,} in part",
        xaxis_title="sources",
        yaxis={"categoryorder": "array", "categoryarray": names[::-1], "dtick": 1},
        height=160 + 24 * len(bars),
        template="plotly_white",
        barmode="stack",
        showlegend=False,
    )
    return figure
