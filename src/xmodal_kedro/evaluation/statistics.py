"""A trained network against what it is compared with: means over folds, gains, and how sure they are."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from xmodal_kedro.evaluation.benchmarks.benchmark import Split
from xmodal_kedro.evaluation.measures import MEASURES
from xmodal_kedro.evaluation.representations import PRETRAINED
from xmodal_kedro.schemas import TransferGains

CONFIDENCE = 0.95
RESAMPLES = 2000
"""Bootstrap samples of a benchmark of one split."""


BY_REPRESENTATION = ("protocol", "representation", "fold")


def fold_values(
    predictions: pd.DataFrame, measures: Sequence[str], keys: Sequence[str] = BY_REPRESENTATION, sort: bool = True
) -> pd.DataFrame:
    """Each measure (0..1) of each group of predictions on each fold.

    Args:
        predictions: `truth`, `predicted` and the columns of `keys`, such as `schemas.TransferPredictions`.
        measures: names in `MEASURES`.
        keys: columns that make a group.
        sort: whether groups are in the order of their keys, or as they come.

    Returns:
        The columns of `keys`, `metric` and `value`.
    """
    rows = [
        (*key, name, MEASURES[name](group["truth"].to_numpy(), group["predicted"].to_numpy()))
        for key, group in predictions.groupby(list(keys), sort=sort)
        for name in measures
    ]
    return pd.DataFrame(rows, columns=[*keys, "metric", "value"])


def all_gains(
    values: pd.DataFrame, predictions: pd.DataFrame, splits: Sequence[Split], measures: Sequence[str]
) -> pd.DataFrame:
    """How far the pretrained network is ahead of all others tested on the same clips, within each protocol.

    Args:
        values: as `fold_values` gives them.
        predictions: what they were counted from.
        splits: of the benchmark.
        measures: names in `MEASURES`.

    Returns:
        `schemas.TransferGains` without the names of benchmark and model.
    """
    rows = []
    tested = {key: set(group["file"]) for key, group in predictions.groupby(["protocol", "representation"])}
    for (protocol, metric), group in values.groupby(["protocol", "metric"], sort=True):
        table = group.pivot_table(index="fold", columns="representation", values="value")
        for over in [name for name in table if name != PRETRAINED]:
            if tested[protocol, over] != tested.get((protocol, PRETRAINED)):
                continue  # zero-shot: each is tested on the clips that it has classes for
            gains = (table[PRETRAINED] - table[over]).to_numpy()
            if len(gains) > 1:
                ratio = float(np.mean([len(split.test) / len(split.train) for split in splits]))
                low, high, p_value = *confidence_interval(gains, ratio), paired_p_value(gains, ratio)
            else:
                low, high, p_value = bootstrap(predictions, protocol, over, str(metric))
            rows.append((protocol, over, metric, gains.mean(), low, high, p_value, len(gains)))
    columns = [name for name in TransferGains.to_schema().columns if name not in ("benchmark", "model")]
    return pd.DataFrame(rows, columns=columns)


def paired_p_value(gains: NDArray[np.floating], test_to_training: float) -> float:
    """Two-sided p of "the mean gain is zero", by the corrected resampled t-test.

    The training sets of two folds overlap, so their gains are not independent, and a plain paired t-test finds too
    many differences. Nadeau and Bengio, "Inference for the generalization error" (2003), widen its variance from s²/k
    to (1/k + test size / training size) s².

    Args:
        gains: differences, one for each of k folds.
        test_to_training: size of a test fold over the size of its training folds: 0.25 for five equal folds.
    """
    error = _corrected_error(gains, test_to_training)
    if math.isclose(error, 0.0, abs_tol=1e-12):
        return 1.0 if math.isclose(float(np.mean(gains)), 0.0, abs_tol=1e-12) else 0.0
    return float(2 * stats.t.sf(abs(float(np.mean(gains))) / error, df=len(gains) - 1))


def confidence_interval(gains: NDArray[np.floating], test_to_training: float) -> tuple[float, float]:
    """Ends of the 95 % confidence interval of the mean gain, with the same correction. Arguments as above."""
    reach = stats.t.ppf((1 + CONFIDENCE) / 2, df=len(gains) - 1) * _corrected_error(gains, test_to_training)
    return float(np.mean(gains) - reach), float(np.mean(gains) + reach)


def bootstrap(predictions: pd.DataFrame, protocol: Hashable, over: Hashable, metric: str) -> tuple[float, float, float]:
    """Ends of the 95 % interval of the gain, and its p, on the one test of a benchmark with a single split.

    Clips are drawn anew within their class, the same for both (Efron's paired percentile bootstrap); p is twice the
    share of draws with a gain of the other sign. It covers the choice of test clips, not the choice
    of training clips.
    """
    paired = predictions[predictions["protocol"] == protocol].pivot(
        index=["truth", "file"], columns="representation", values="predicted"
    )
    paired = paired[[PRETRAINED, over]].dropna().reset_index()
    truth_N, ours_N, theirs_N = (paired[name].to_numpy(dtype=str) for name in ("truth", PRETRAINED, over))
    members = [np.flatnonzero(truth_N == name) for name in np.unique(truth_N)]
    rng, measure = np.random.default_rng(0), MEASURES[metric]
    gains = np.empty(RESAMPLES)
    for draw in range(RESAMPLES):
        drawn = np.concatenate([rng.choice(positions, len(positions)) for positions in members])
        gains[draw] = measure(truth_N[drawn], ours_N[drawn]) - measure(truth_N[drawn], theirs_N[drawn])
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(gains, [tail, 1 - tail])
    return float(low), float(high), min(1.0, 2 * min(float(np.mean(gains <= 0)), float(np.mean(gains >= 0))))


def summarise(benchmark: str, values: pd.DataFrame, gains: pd.DataFrame) -> dict[str, float]:
    """Means and sample standard deviations over folds, and gains, by names such as
    `esc10.linear_probe.pretrained.accuracy` and `esc10.linear_probe.gain_over_random.accuracy`.

    Args:
        values: as `fold_values` gives them.
        gains: as `all_gains` gives them.
    """
    metrics: dict[str, float] = {}
    for (protocol, representation, metric), group in values.groupby(["protocol", "representation", "metric"]):
        name = f"{benchmark}.{protocol}.{representation}.{metric}"
        metrics[name] = float(group["value"].to_numpy().mean())
        if len(group) > 1:
            metrics[f"{name}_std"] = float(group["value"].to_numpy().std(ddof=1))
    for row in gains.to_dict("records"):
        name = f"{benchmark}.{row['protocol']}.gain_over_{row['over']}.{row['metric']}"
        metrics |= {name: row["gain"], f"{name}_low": row["low"], f"{name}_high": row["high"]}
        metrics[f"{name}_p_value"] = row["p_value"]
    return metrics


def class_gains(predictions: pd.DataFrame, protocol: str, over: str) -> pd.DataFrame:
    """For each class, the share of its test clips that is predicted right: by the pretrained network, and by another.

    Returns:
        Columns `category`, `pretrained`, `other` and `gain`, highest gain first.
    """
    of_protocol = predictions[predictions["protocol"] == protocol]
    right = of_protocol.assign(right=of_protocol["truth"] == of_protocol["predicted"])
    shares = right.pivot_table(index="truth", columns="representation", values="right", aggfunc="mean")
    table = pd.DataFrame({"category": shares.index, "pretrained": shares[PRETRAINED].to_numpy(float)})
    table["other"] = shares[over].to_numpy(float)
    table["gain"] = table["pretrained"] - table["other"]
    return table.sort_values(["gain", "category"], ascending=[False, True], ignore_index=True)


def class_accuracies(predictions: pd.DataFrame) -> pd.DataFrame:
    """For each class, by name, the share of its clips that is predicted right.

    Returns:
        Columns `category` and `accuracy`.
    """
    right = (predictions["truth"] == predictions["predicted"]).groupby(predictions["truth"]).mean()
    return pd.DataFrame({"category": right.index.astype(str), "accuracy": right.to_numpy(float)})


def coverage(predictions: pd.DataFrame) -> Mapping[tuple[str, str], tuple[int, int]]:
    """Clips and classes that each protocol and representation was tested on."""
    keys = ["protocol", "representation"]
    return {
        (str(protocol), str(representation)): (group["file"].nunique(), group["truth"].nunique())
        for (protocol, representation), group in predictions.groupby(keys)
    }


def _corrected_error(gains: NDArray[np.floating], test_to_training: float) -> float:
    return float(np.std(gains, ddof=1)) * math.sqrt(1 / len(gains) + test_to_training)
