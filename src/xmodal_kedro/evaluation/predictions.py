"""Predicted categories of test clips, as one table whatever the protocol."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from xmodal_kedro.evaluation.benchmarks.benchmark import Benchmark, Split
from xmodal_kedro.evaluation.embeddings import collect_embeddings, representations_of
from xmodal_kedro.evaluation.probe import edge_of, predict_splits
from xmodal_kedro.evaluation.representations import PRETRAINED
from xmodal_kedro.evaluation.zero_shot import Classes, classify, matching_classes
from xmodal_kedro.schemas import ProbeStrengths, TransferPredictions
from xmodal_kedro.schemas.base import Table
from xmodal_kedro.storage import Shards

PROTOCOLS = ("linear_probe", "fine_tune", "zero_shot")
"""In the order in which the first that was run stands for the others."""


def no_predictions() -> pd.DataFrame:
    """`schemas.TransferPredictions` without rows."""
    return _without_rows(TransferPredictions)


def no_strengths() -> pd.DataFrame:
    """`schemas.ProbeStrengths` without rows."""
    return _without_rows(ProbeStrengths)


def predictions_table(benchmark: Benchmark, split: Split, tested_N: NDArray, predicted_N: NDArray) -> pd.DataFrame:
    """Columns `fold`, `file`, `truth` and `predicted` of one split.

    Args:
        tested_N: positions of the clips in the benchmark.
        predicted_N: their predicted categories.
    """
    clips = benchmark.clips.iloc[tested_N]
    return pd.DataFrame(
        {
            "fold": split.fold,
            "file": clips["file"].to_numpy(),
            "truth": clips["category"].to_numpy(),
            "predicted": predicted_N,
        }
    )


def as_arrow(predictions: pd.DataFrame, schema: pa.Schema) -> pa.Table:
    """The columns of the schema, as Arrow."""
    return pa.Table.from_pydict({name: predictions[name].to_numpy() for name in schema.names}, schema=schema)


def probe_splits(benchmark: Benchmark, vectors_NE: NDArray[np.floating], strengths: Sequence[float]) -> pd.DataFrame:
    """What linear probes of one representation predict, over all splits: rows as of `predictions_table`, and the
    `strength` of each split's probe.

    Args:
        vectors_NE: of the benchmark's clips, in order [clips, embedding size].
        strengths: inverse strengths C to choose from.
    """
    truths, groups = (benchmark.clips[name].to_numpy() for name in ("category", "group"))
    predicted = predict_splits(vectors_NE, truths.astype(str), groups, benchmark.splits, strengths)
    tables = [
        predictions_table(benchmark, split, split.test, names).assign(strength=strength)
        for split, (names, strength) in zip(benchmark.splits, predicted, strict=True)
    ]
    return pd.concat(tables, ignore_index=True)


def probe_all(
    benchmark: Benchmark, embeddings: Shards, strengths: Sequence[float]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Linear probes of every stored representation, over all splits.

    Returns:
        `schemas.TransferPredictions`, and `schemas.ProbeStrengths`.
    """
    predicted, chosen = [no_predictions()], [no_strengths()]
    for representation in representations_of(embeddings):
        vectors_NE = collect_embeddings(embeddings, representation, benchmark.clips["file"].tolist()).embeddings
        probed = probe_splits(benchmark, vectors_NE, strengths).assign(representation=representation)
        predicted.append(probed.drop(columns="strength").assign(protocol="linear_probe"))
        of_splits = probed[["representation", "fold", "strength"]].drop_duplicates()
        chosen.append(of_splits.assign(edge=[edge_of(each, strengths) for each in of_splits["strength"]]))
    return pd.concat(predicted, ignore_index=True), pd.concat(chosen, ignore_index=True)


def classify_without_training(benchmark: Benchmark, embeddings: Shards, classes: Classes) -> pd.DataFrame:
    """Zero-shot predictions by each representation that has classes, of the clips whose category it has a class for.

    Args:
        classes: names of the classes that each representation scores, in order.
    """
    tables = [no_predictions()]
    categories = sorted(benchmark.clips["category"].unique())
    for representation in [name for name in representations_of(embeddings) if name in classes]:
        matched = matching_classes(categories, classes[representation])
        if len(matched) < 2:  # with one category there is nothing to choose
            continue
        scores_NC = collect_embeddings(embeddings, representation, benchmark.clips["file"].tolist()).scores
        is_matched_N = benchmark.clips["category"].isin(matched).to_numpy()
        for split in benchmark.splits:
            tested_N = split.test[is_matched_N[split.test]]
            predicted = np.array(classify(scores_NC[tested_N], matched), str)
            predictions = predictions_table(benchmark, split, tested_N, predicted)
            tables.append(predictions.assign(protocol="zero_shot", representation=representation))
    return pd.concat(tables, ignore_index=True)


def main_predictions(predictions: pd.DataFrame) -> pd.DataFrame:
    """Those of the protocol that stands for the others: the first of `PROTOCOLS` that was run."""
    found = set(predictions["protocol"])
    return predictions[predictions["protocol"] == next((name for name in PROTOCOLS if name in found), "")]


def pretrained_predictions(predictions: pd.DataFrame) -> pd.DataFrame:
    """Those of the pretrained network, by the protocol that stands for the others."""
    main = main_predictions(predictions)
    return main[main["representation"] == PRETRAINED]


def _without_rows(table: type[Table]) -> pd.DataFrame:
    types = {"fold": "int64", "strength": "float64"}
    return pd.DataFrame({name: pd.Series(dtype=types.get(name, "str")) for name in table.to_schema().columns})
