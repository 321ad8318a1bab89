"""What became of the sources: counts by reason, as text and as a plot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

USED_WHOLE, USED_IN_PART, NO_CLIP, REJECTED = KINDS = ("Used to the end", "Used in part", "No clip", "Rejected")
COLOURS = dict(zip(KINDS, ("#1f5f8b", "#8fb3cc", "#c9843a", "#b4bdc6"), strict=True))
ROOM_FOR_COUNTS = 1.15
"""Width of the plot relative to its longest bar: the count is drawn beside the bar."""

LABELS: dict[str, str] = {
    "unreadable": "cannot be read",
    "not_media": "neither audio nor video",
    "forbidden_format": "container not on the safe list",
    "forbidden_protocol": "protocol not on the safe list",
    "no_audio": "no audio stream",
    "no_picture": "no video stream",
    "unknown_codec": "unknown codec",
    "corrupt": "corrupt or broken off",
    "silent": "silent",
    "too_short": "too short",
    "too_long": "too long",
    "too_many_bytes": "file too large",
    "too_many_pixels": "frames too large",
    "too_many_streams": "too many streams",
    "timed_out": "decoding took too long",
    "crashed": "crashed the decoder",
    "killed": "decoder was killed",
    "duplicate": "same content as another",
}
"""Short names of `REASONS`, for plots and tables."""


@dataclass(frozen=True)
class Outcome:
    """Number of sources with one outcome for one reason.

    Attributes:
        kind: one of `KINDS`.
        reason: a key of `REASONS`; empty for those used to the end.
        count: number of sources.
    """

    kind: str
    reason: str
    count: int

    @property
    def name(self) -> str:
        """The outcome as text."""
        return f"{self.kind}: {LABELS[self.reason]}" if self.reason else self.kind


def count_outcomes(
    videos: pd.DataFrame, rejected: pd.DataFrame, unclipped: pd.DataFrame, cut_short: pd.DataFrame
) -> list[Outcome]:
    """Count every source once: first those used to the end, then the others by kind and reason.

    Args:
        videos: `Videos`.
        rejected: `RejectedVideos`.
        unclipped: `UnclippedVideos`.
        cut_short: `CutShortVideos`.
    """
    whole = Outcome(USED_WHOLE, "", len(videos) - len(unclipped) - len(cut_short))
    return [whole] + [
        Outcome(kind, reason, count)
        for kind, table in ((USED_IN_PART, cut_short), (NO_CLIP, unclipped), (REJECTED, rejected))
        for reason, count in count_reasons(table).items()
    ]


def count_reasons(table: pd.DataFrame) -> dict[str, int]:
    """Count of each `reason`, most frequent first, equal counts sorted by name."""
    counts = table["reason"].value_counts()
    return {str(reason): int(counts[reason]) for reason in sorted(counts.index, key=lambda code: (-counts[code], code))}


def describe_count(table: pd.DataFrame, what: str) -> str:
    """The number of rows and the count of each `reason`, such as `3 rejected (2 no_audio, 1 corrupt)`."""
    reasons = ", ".join(f"{count} {reason}" for reason, count in count_reasons(table).items())
    return f"{len(table)} {what} ({reasons})" if reasons else f"0 {what}"


def plot_outcomes(
    videos: pd.DataFrame, rejected: pd.DataFrame, unclipped: pd.DataFrame, cut_short: pd.DataFrame
) -> Any:
    """A plotly figure with a horizontal bar for each outcome of `count_outcomes`."""
    import plotly.graph_objects as go

    outcomes = count_outcomes(videos, rejected, unclipped, cut_short)
    names = [outcome.name for outcome in outcomes]
    whole, part = outcomes[0].count, len(cut_short)
    longest = max(1, *(outcome.count for outcome in outcomes))
    figure = go.Figure(
        [
            go.Bar(
                x=[outcome.count for outcome in bars],
                y=[outcome.name for outcome in bars],
                text=[f"{outcome.count:,}" for outcome in bars],
                textposition="outside",
                cliponaxis=False,
                orientation="h",
                name=kind,
                marker_color=colour,
            )
            for kind, colour in COLOURS.items()
            if (bars := [outcome for outcome in outcomes if outcome.kind == kind])
        ]
    )
    figure.update_layout(
        title=f"{len(videos) + len(rejected):,} sources: {whole:,} used to the end, {part:,} in part",
        xaxis={"title": "sources", "showticklabels": False, "showgrid": False, "range": [0, longest * ROOM_FOR_COUNTS]},
        yaxis={"categoryorder": "array", "categoryarray": names[::-1], "dtick": 1},
        height=160 + 24 * len(outcomes),
        template="plotly_white",
        barmode="stack",
        showlegend=False,
    )
    return figure
