"""A map of a benchmark's sounds: their embeddings in two dimensions."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.colors import qualitative
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

MAX_SOUNDS = 2000
"""Sounds drawn; of more, every n-th."""
AXES = 50
"""Principal components that t-SNE starts from."""
PERPLEXITY = 30
MAX_LEGEND = 20
"""Classes up to which a legend can be read."""
COLOURS = qualitative.D3
SYMBOLS = ("circle", "x", "square", "triangle-up", "diamond", "star", "cross", "hexagon")
"""A class has a colour and a symbol: ten colours can be distinguished, so the symbol changes with every ten classes."""


def draw_map(embeddings_NE: NDArray[np.floating], categories_N: NDArray, names_N: NDArray) -> go.Figure:
    """Sounds by t-SNE (van der Maaten and Hinton, 2008) of the standardised embeddings, each class with its marker.

    Args:
        embeddings_NE: of all sounds [sounds, embedding size].
        categories_N: their classes.
        names_N: their files.
    """
    step = -(-len(embeddings_NE) // MAX_SOUNDS)
    embeddings_NE, categories_N, names_N = embeddings_NE[::step], categories_N[::step], names_N[::step]
    places_N2 = project(embeddings_NE)
    classes = np.unique(categories_N)
    figure = go.Figure()
    for number, name in enumerate(classes):
        row, column = divmod(number, len(COLOURS))
        marker = {"size": 7, "color": COLOURS[column], "symbol": SYMBOLS[row % len(SYMBOLS)], "opacity": 0.85}
        is_it_N = categories_N == name
        figure.add_trace(
            go.Scatter(
                x=places_N2[is_it_N, 0].round(2).tolist(),
                y=places_N2[is_it_N, 1].round(2).tolist(),
                name=str(name).replace("_", " "),
                text=names_N[is_it_N].tolist(),
                hovertemplate="%{fullData.name}: %{text}<extra></extra>",
                mode="markers",
                marker=marker,
            )
        )
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False, scaleanchor="x")
    figure.update_layout(template="plotly_white", height=560, showlegend=len(classes) <= MAX_LEGEND)
    return figure


def project(embeddings_NE: NDArray[np.floating]) -> NDArray[np.floating]:
    """Two coordinates of each embedding [sounds, 2]: neighbours stay neighbours, larger distances mean little."""
    scaled_NE = StandardScaler().fit_transform(embeddings_NE)
    axes = min(AXES, *scaled_NE.shape)
    # In one thread, so that sums are taken in one order, and equal embeddings give equal maps.
    with threadpool_limits(1):
        principal_NA = PCA(axes, svd_solver="full").fit_transform(scaled_NE)
        perplexity = min(PERPLEXITY, (len(principal_NA) - 1) / 3)
        tsne = TSNE(perplexity=perplexity, init="pca", random_state=0)
        places_N2: NDArray[np.floating] = tsne.fit_transform(principal_NA)
    return places_N2
