"""What networks trained on the labels of several rules are worth beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xmodal_kedro.evaluation.benchmarks.benchmark import Split
from xmodal_kedro.evaluation.statistics import confidence_interval, fold_values, paired_p_value
from xmodal_kedro.schemas import RuleGains
from xmodal_kedro.storage import Shards


def rule_values(predictions: pd.DataFrame, measures: Sequence[str]) -> pd.DataFrame:
    """Each measure of each rule, seed and fold: `schemas.RuleResults` without the names of benchmark and model."""
    return fold_values(predictions, measures, ("rule", "seed", "fold"), sort=False)


def rule_gains(values: pd.DataFrame, splits: Sequence[Split]) -> pd.DataFrame:
    """Every pair of rules, the better one first: `schemas.RuleGains` without the names of benchmark and model.

    Folds of several seeds are tested as repeated cross-validation is: Bouckaert and Frank, "Evaluating the
    replicability of significance tests for comparing learning algorithms" (2004), with Nadeau and Bengio's correction;
    p-values are adjusted for the number of pairs by Holm's method (1979).
    """
    ratio = float(np.mean([len(split.test) / len(split.train) for split in splits]))
    rows = []
    for metric, of_metric in values.groupby("metric", sort=False):
        table = of_metric.pivot_table(index=["seed", "fold"], columns="rule", values="value")
        for one, other in combinations(table, 2):
            gains = (table[one] - table[other]).to_numpy()
            if gains.mean() < 0:
                one, other, gains = other, one, -gains
            rows.append((one, other, metric, gains.mean(), *_interval(gains, ratio), _p_value(gains, ratio)))
    columns = [name for name in RuleGains.to_schema().columns if name not in ("benchmark", "model")]
    found = pd.DataFrame(rows, columns=columns)
    found["p_value"] = found.groupby("metric")["p_value"].transform(lambda p_values: holm(p_values.to_numpy()))
    return found.sort_values(["metric", "p_value", "gain"], ascending=[True, True, False], ignore_index=True)


def _interval(gains: NDArray[np.floating], ratio: float) -> tuple[float, float]:
    return confidence_interval(gains, ratio) if len(gains) > 1 else (float(gains[0]), float(gains[0]))


def _p_value(gains: NDArray[np.floating], ratio: float) -> float:
    return paired_p_value(gains, ratio) if len(gains) > 1 else 1.0


def holm(p_values: NDArray[np.floating]) -> NDArray[np.floating]:
    """p-values of several tests, adjusted so that the chance of any false positive is that of one test."""
    order = np.argsort(p_values, kind="stable")
    factors = len(p_values) - np.arange(len(p_values))
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(factors * p_values[order]))
    return adjusted


def rule_metrics(benchmark: str, values: pd.DataFrame, networks: Shards) -> dict[str, float]:
    """Means and std over seeds and folds, and of the trainings, by names such as `esc10.union.accuracy`.

    Args:
        values: as `rule_values` gives them.
        networks: `schemas.RuleNetworks` by rule and seed.
    """
    metrics: dict[str, float] = {}
    for (rule, metric), group in values.groupby(["rule", "metric"]):
        name = f"{benchmark}.{rule}.{metric}"
        metrics[name] = float(group["value"].to_numpy().mean())
        of_seeds = group.groupby("seed")["value"].mean().to_numpy()
        metrics[f"{name}_std"] = float(of_seeds.std(ddof=1)) if len(of_seeds) > 1 else 0.0
    for rule, figures in _trainings(networks).items():
        metrics |= {f"{rule}.{name}": float(np.mean(of_seeds)) for name, of_seeds in figures.items()}
    return metrics


def _trainings(networks: Shards) -> dict[str, dict[str, list[float]]]:
    """Classes, clips and validation mAP of the trainings of each rule, by seed."""
    found: dict[str, dict[str, list[float]]] = {}
    for key, network in networks.items():
        metadata = network.metadata
        for name in ("classes", "clips", "validation_map"):
            found.setdefault(key.rpartition("-")[0], {}).setdefault(name, []).append(float(metadata[name]))
    return found
