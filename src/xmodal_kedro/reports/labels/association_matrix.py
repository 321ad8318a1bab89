"""Which classes of the two modalities occur together."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from xmodal_kedro.params import AgreementParams
from xmodal_kedro.reports import html

MATRIX_SIDE = 24
"""Most classes of a modality in the matrix."""
COLOURS = [[0, html.WARM], [0.5, "#ffffff"], [1, html.ACCENT]]


def strongest(associations: pd.DataFrame, agreement: AgreementParams) -> pd.DataFrame:
    """Pairs in enough videos to be evidence, then others that support each other; of each kind, the most telling first.

    Args:
        associations: `ClassAssociations`.
    """
    is_evident = associations["videos"] >= agreement.min_videos
    told = associations.assign(is_evident=is_evident)[is_evident | (associations["support"] != "")]
    columns = ["is_evident", "pmi", "clips", "visual", "audio"]
    return told.sort_values(columns, ascending=[False, False, False, True, True]).drop(columns="is_evident")


def association_matrix(associations: pd.DataFrame, agreement: AgreementParams) -> go.Figure:
    """Visual classes (rows) by audio classes (columns), both in the order of the strongest pair they are in.

    Colour is pointwise mutual information: blue where the classes occur together more often than by chance.
    """
    ranked = strongest(associations, agreement)
    seen, heard = (ranked[side].drop_duplicates().head(MATRIX_SIDE).tolist() for side in ("visual", "audio"))
    shown = ranked[ranked["visual"].isin(seen) & ranked["audio"].isin(heard)]

    def grid(column: str) -> list[list[float]]:
        cells = shown.pivot(index="visual", columns="audio", values=column).reindex(index=seen, columns=heard)
        return cells.astype(object).where(cells.notna(), None).to_numpy().tolist()

    counts = [list(zip(*rows, strict=True)) for rows in zip(grid("clips"), grid("videos"), strict=True)]
    limit = float(shown["pmi"].abs().max()) if len(shown) else 1.0
    figure = go.Figure(
        go.Heatmap(
            z=grid("pmi"),
            x=heard,
            y=seen,
            customdata=counts,
            hovertemplate=(
                "%{y} and %{x}: %{z:.1f} bits, %{customdata[0]:,} clips of %{customdata[1]:,} videos<extra></extra>"
            ),
            hoverongaps=False,
            colorscale=COLOURS,
            zmin=-limit,
            zmax=limit,
            xgap=1,
            ygap=1,
            colorbar={"title": "bits", "thickness": 10, "len": 0.6},
        )
    )
    figure.update_xaxes(
        title="heard", side="bottom", tickangle=-60, tickvals=heard, ticktext=list(map(html.shortened, heard))
    )
    figure.update_yaxes(
        title="seen", autorange="reversed", tickvals=seen, ticktext=list(map(html.shortened, seen)), showgrid=False
    )
    figure.update_xaxes(showgrid=False)
    width, height = 320 + 24 * len(heard), 280 + 22 * len(seen)
    title = f"{len(ranked):,} pairs of classes that support each other or are in {agreement.min_videos} videos"
    figure.update_layout(title=title, template="plotly_white", width=width, height=height)
    return figure
