from __future__ import annotations

import numpy as np
import pytest

from xmodal_kedro.reports.transfer.embedding_map import draw_map


def test_the_map_keeps_clusters_together_and_is_the_same_each_time() -> None:
    rng = np.random.default_rng(0)
    centres = 20 * rng.normal(size=(3, 16))
    classes = np.repeat(np.array(["low", "middle", "high"]), 30)
    embeddings = np.repeat(centres, 30, axis=0) + rng.normal(size=(90, 16))
    names = np.array([f"{number}.wav" for number in range(90)])
    figure = draw_map(embeddings, classes, names)
    assert figure == draw_map(embeddings, classes, names)
    middles = [np.array([np.mean(trace.x), np.mean(trace.y)]) for trace in figure.data]
    spread = max(np.hypot(np.std(trace.x), np.std(trace.y)) for trace in figure.data)
    apart = min(np.linalg.norm(one - other) for one in middles for other in middles if one is not other)
    assert apart > 2 * spread


@pytest.mark.parametrize("classes", [2, 20, 50])
def test_no_two_classes_have_the_same_marker(classes: int) -> None:
    rng = np.random.default_rng(0)
    names = np.repeat([f"class {number:02d}" for number in range(classes)], 2)
    figure = draw_map(rng.normal(size=(len(names), 8)), names, names)
    markers = {(trace.marker.color, trace.marker.symbol) for trace in figure.data}
    assert len(markers) == len(figure.data) == classes
