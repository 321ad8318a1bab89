"""Which sounds are near in a network's embedding."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def nearest_sounds(embeddings: NDArray[np.floating], query: int, count: int = 5) -> list[tuple[int, float]]:
    """The sounds nearest to one of them, the nearest first.

    The measure is the cosine between embeddings less their mean: what all sounds of a corpus share does not distinguish
    them.

    Args:
        embeddings: float [sounds, size].
        query: position of the sound, which is not its own neighbour.
        count: how many; fewer where there are no more.

    Returns:
        Position and cosine, -1 to 1, of each.

    Raises:
        IndexError: if there is no such position.
    """
    if not 0 <= query < len(embeddings):
        raise IndexError(f"no sound {query} among {len(embeddings)} embeddings")
    centred_NE = embeddings - embeddings.mean(axis=0)
    lengths_N = np.linalg.norm(centred_NE, axis=1)
    unit_NE = centred_NE / np.maximum(lengths_N, np.finfo(embeddings.dtype).tiny)[:, None]
    cosine_N = unit_NE @ unit_NE[query]
    order = [at for at in np.argsort(-cosine_N, kind="stable").tolist() if at != query]
    return [(at, float(cosine_N[at])) for at in order[:count]]
