"""Metrics of the labels."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from xmodal_kedro.labels.summary import LabelSummary, labelled, mean, modalities_of


def effective_classes(clip_counts: pd.Series) -> float:
    """Number of equally frequent classes with the same diversity: exp of the entropy of the classes' shares.

    Hill number of order 1 (M. O. Hill, "Diversity and evenness", Ecology 54, 1973).
    """
    shares = clip_counts.to_numpy(float) / clip_counts.sum()
    return math.exp(-float(np.sum(shares * np.log(shares))))


def label_metrics(summary: LabelSummary, vocabulary: pd.DataFrame, dropped: pd.DataFrame) -> dict[str, float]:
    """Metrics by name, for tracking; a metric over no clips is left out.

    Args:
        summary: sums over all shards.
        vocabulary: `LabelVocabulary`.
        dropped: `DroppedClasses`.
    """
    clips, both = summary["clips"], summary["both"]
    measured: dict[str, float | None] = {
        "classes": len(vocabulary),
        "classes.effective": effective_classes(vocabulary["clip_count"]),
        "classes.dropped": len(dropped),
        "targeted_share": summary["targeted"] / clips if clips else None,
        "classes_per_targeted_clip": mean([float(vocabulary["clip_count"].sum()), summary["targeted"]]),
        "agreeing_share": summary["agreeing"] / both if both else None,
    }
    for modality in modalities_of(summary):
        measured[f"{modality}.labelled_share"] = labelled(summary, modality) / clips if clips else None
        measured[f"{modality}.best_score"] = mean(summary["best"][modality])
        measured[f"{modality}.entropy_bits"] = mean(summary["entropy"][modality])
    return {f"labels.{name}": float(value) for name, value in measured.items() if value is not None}
