"""Clips to look at, as a figure that Kedro-Viz can show."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from html import escape

import plotly.graph_objects as go

from xmodal_kedro.labelling.report.clip_views import ClipView, Opinion
from xmodal_kedro.labelling.report.media import data_uri, spectrogram

COLUMNS = 4
CELL_WIDTH_PX, CELL_HEIGHT_PX = 270, 400
GUTTER = 0.06
"""Empty share of a cell's width."""
PICTURE_SHARE, SPECTROGRAM_SHARE = 0.36, 0.2
"""Of a cell's height."""
LABELS = 2
"""Shown of each teacher."""
LINE_CHARACTERS = 44


def contact_figure(groups: Sequence[tuple[str, Sequence[ClipView]]]) -> go.Figure:
    """Groups of clips under their headings, one cell a clip: a picture, the spectrogram, labels and target."""
    figure = go.Figure()
    row = 0
    for heading, views in groups:
        figure.add_annotation(x=0, y=-row + 0.05, text=f"<b>{escape(heading)}</b>", **_TEXT)
        for position, view in enumerate(views):
            _draw(figure, view, position % COLUMNS, row + position // COLUMNS)
        row += max(1, -(-len(views) // COLUMNS))
    hidden = {"visible": False, "fixedrange": True}
    figure.update_xaxes(range=[0, COLUMNS], **hidden)
    figure.update_yaxes(range=[-row, 0.1], **hidden)
    figure.update_layout(
        template="plotly_white",
        width=COLUMNS * CELL_WIDTH_PX,
        height=round((row + 0.1) * CELL_HEIGHT_PX),
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
    )
    return figure


_TEXT = {"showarrow": False, "xanchor": "left", "yanchor": "top", "align": "left"}


def _draw(figure: go.Figure, view: ClipView, column: int, row: int) -> None:
    top = -row - GUTTER
    image = {"xref": "x", "yref": "y", "x": column, "sizex": 1 - GUTTER, "xanchor": "left", "yanchor": "top"}
    if view.frames:
        source = data_uri(view.frames[0], "image/jpeg")
        figure.add_layout_image(image, source=source, y=top, sizey=PICTURE_SHARE)
    source = data_uri(spectrogram(view.audio), "image/png")
    below = top - PICTURE_SHARE - 0.01
    figure.add_layout_image(image, source=source, y=below, sizey=SPECTROGRAM_SHARE, sizing="stretch")
    lines = [
        *_lines("seen", _labels(view.visual_labels)),
        *_lines("heard", _labels(view.audio_labels)),
        *_lines("target", ", ".join(name for name, _ in view.targets) or "none"),
    ]
    figure.add_annotation(x=column, y=below - SPECTROGRAM_SHARE, text="<br>".join(lines), font={"size": 11}, **_TEXT)


def _labels(opinions: Sequence[Opinion]) -> str:
    return ", ".join(f"{opinion.label} {opinion.score:.2f}" for opinion in opinions[:LABELS]) or "no label"


def _lines(what: str, text: str) -> list[str]:
    wrapped = textwrap.wrap(f"{what}: {text}", LINE_CHARACTERS, max_lines=3, placeholder=" …")
    return [escape(line, quote=False) for line in wrapped]
