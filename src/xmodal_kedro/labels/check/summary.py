"""The check of labels as metrics."""

from __future__ import annotations

import math

import pandas as pd

from xmodal_kedro.labels.check.calibration import expected_calibration_error

MICRO = ("hit", "top1", "top5", "precision", "recall", "f1")
MACRO = {"macro_precision": "precision", "macro_recall": "recall", "macro_f1": "f1", "map": "average_precision"}


def metrics(label_quality: pd.DataFrame, label_reliability: pd.DataFrame) -> dict[str, float]:
    """The averages by name: `label_check.audio.heard.top5`, and `label_check.audio.heard.branch.top5` where a label
    above or below the true class in the ontology counts as right. What is not known is left out.
    """
    found: dict[str, float] = {}
    for row in label_quality[label_quality["average"] != "class"].to_dict("records"):
        prefix = _prefix(row["labels"], row["against"], row["match"])
        if row["average"] == "micro":
            found[f"{prefix}.clips"] = float(row["clips"])
            found |= {f"{prefix}.{name}": row[name] for name in MICRO}
        else:
            found |= {f"{prefix}.{name}": row[column] for name, column in MACRO.items()}
    for (labels, against, match), bins in label_reliability.groupby(["labels", "against", "match"]):
        found[f"{_prefix(labels, against, match)}.calibration_error"] = expected_calibration_error(bins)
    return {name: float(value) for name, value in sorted(found.items()) if not math.isnan(value)}


def _prefix(labels: object, against: object, match: object) -> str:
    return f"label_check.{labels}.{against}{'.branch' if match == 'branch' else ''}"
