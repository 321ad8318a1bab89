"""Which labels of what is seen and what is heard support each other, by their names."""

from __future__ import annotations

from collections import defaultdict
from itertools import product

import numpy as np

from xmodal_kedro.labels.plan import MergePlan


def supporting_labels(plan: MergePlan) -> tuple[tuple[str, str], ...]:
    """Every pair of a visual and an audio label that support each other in a plan, in order of their names."""
    labels: dict[str, defaultdict[int, list[str]]] = {"visual": defaultdict(list), "audio": defaultdict(list)}
    rows = plan.classes.label_classes
    for modality, label, index in zip(*(rows[name] for name in ("modality", "label", "index")), strict=True):
        labels[modality][int(index)].append(label)
    visual_index, audio_index = np.divmod(plan.support, len(plan.classes))
    pairs = {
        pair
        for visual, audio in zip(visual_index.tolist(), audio_index.tolist(), strict=True)
        for pair in product(labels["visual"][visual], labels["audio"][audio])
    }
    return tuple(sorted(pairs))
