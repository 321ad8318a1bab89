"""The report of `transfer_eval`: what was learnt from what, and how good it is on a benchmark."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd
import plotly.graph_objects as go
import pyarrow.compute as pc

from xmodal_kedro.evaluation.benchmarks.catalogue import CATALOGUE
from xmodal_kedro.evaluation.benchmarks.published import PUBLISHED
from xmodal_kedro.evaluation.predictions import PROTOCOLS, main_predictions
from xmodal_kedro.evaluation.representations import LOG_MEL, PRETRAINED, RANDOM, REPRESENTATIONS, SCRATCH, TEACHER
from xmodal_kedro.evaluation.statistics import coverage
from xmodal_kedro.media.outcomes import count_outcomes
from xmodal_kedro.reasons import REASONS
from xmodal_kedro.reports import html, names
from xmodal_kedro.reports.compare import SIGNIFICANCE
from xmodal_kedro.storage import Shards

Section = dict[str, Any]
"""What a part of the template shows, by the names that it uses."""
ADVICE = (
    (
        LOG_MEL,
        "Log-mel statistics, which have learnt nothing, are",
        "The network has learnt too little for these sounds: train it on more recordings of the kind that the classes "
        "are of, and for more epochs.",
        "So nothing is shown to be learnt for these sounds: train the network on more recordings of the kind that the "
        "classes are of, and for more epochs.",
    ),
    (
        TEACHER,
        "The audio teacher's own embedding is",
        "A classifier of these sounds is better made on that: the pipeline adapt does so with representation: auto. "
        "The network comes nearer to it with more recordings, with train.embedding_weight, by which it learns that "
        "embedding too, and with train.live_teacher.",
        "So no difference is shown for these sounds, and either will do for a classifier.",
    ),
)
"""What the network is compared with, how the report begins where that is ahead, and what to do where that is sure, and
where it may be chance."""
MAX_GROUPS = 10
"""Groups of near-duplicates that are shown, the largest."""


class ResultPlots(NamedTuple):
    """Plots of `reports.transfer.plots`, and the map of the embedding."""

    confusion_matrix: go.Figure
    gain_intervals: go.Figure
    class_gains: go.Figure
    embedding_map: go.Figure


@dataclass(frozen=True)
class TransferReport:
    """All that the report shows.

    Attributes:
        sources: as `describe_sources` returns it.
        training: as `describe_training` returns it.
        results: as `describe_results` returns it.
        strengths: as `describe_strengths` returns it.
        provenance: what identifies the run that writes the report; empty for a run that is not tracked.
    """

    sources: Section
    training: Section
    results: Section
    strengths: Section
    provenance: Mapping[str, str]

    def render(self) -> str:
        """One HTML page that needs nothing beside it."""
        return html.render("transfer_report.html.j2", names=names, **vars(self))


def describe_sources(
    videos: pd.DataFrame,
    rejected: pd.DataFrame,
    unclipped: pd.DataFrame,
    cut_short: pd.DataFrame,
    near_duplicates: pd.DataFrame,
    clips: Shards,
    labels: Shards,
    outcome_plot: go.Figure,
) -> Section:
    """How much there is to learn from, what became of each source, and which sources hold one recording.

    Args:
        videos, rejected, unclipped, cut_short, near_duplicates: tables of `schemas`.
        clips, labels: `Clips` and `Labels`; two small columns and the metadata are read.
        outcome_plot: of `media.outcomes.plot_outcomes`.
    """
    is_unclipped = videos["video_id"].isin(unclipped["video_id"])
    is_whole = ~is_unclipped & ~videos["video_id"].isin(cut_short["video_id"])
    spans = (shard(columns=["start_s", "end_s"]) for shard in clips.values())
    groups = sorted((group for _, group in near_duplicates.groupby("group_id")), key=len, reverse=True)
    return {
        "found": len(videos) + len(rejected),
        "used": int((~is_unclipped).sum()),
        "whole_s": float(videos.loc[is_whole, "duration_s"].sum()),
        "clips": sum(shard.num_rows for shard in clips.values()),
        "clips_s": float(sum(pc.sum(pc.subtract(span["end_s"], span["start_s"])).as_py() or 0.0 for span in spans)),
        "targeted": sum(int(shard.metadata["targeted"]) for shard in labels.values()),
        "outcomes": count_outcomes(videos, rejected, unclipped, cut_short),
        "reasons": REASONS,
        "duplicates": len(near_duplicates),
        "groups": len(groups),
        "largest_groups": [(sorted(group["uri"]), group["matched_s"].max()) for group in groups[:MAX_GROUPS]],
        "outcome_plot": outcome_plot,
    }


def describe_training(
    vocabulary: pd.DataFrame,
    label_metrics: Mapping[str, float],
    label_histogram: go.Figure,
    card: Mapping[str, Any],
    history: pd.DataFrame,
    curves: go.Figure,
) -> Section:
    """The labels that the network learnt from, the network, and how its training went.

    Args:
        vocabulary: `LabelVocabulary`.
        label_metrics: of `labels.metrics.label_metrics`.
        label_histogram: of `reports.labels.plots.label_histogram`.
        card: the model card.
        history: `TrainingHistory`.
        curves: the plot of it.
    """
    return {
        "classes": len(vocabulary),
        "by_modality": ", ".join(f"{count} {name}" for name, count in vocabulary["modality"].value_counts().items()),
        "metrics": label_metrics,
        "histogram": html.class_histogram(label_histogram),
        "shown": sum(len(bars.y) for bars in label_histogram.data),
        "card": card,
        "epochs": len(history),
        "curves": curves,
    }


def describe_results(
    values: pd.DataFrame,
    predictions: pd.DataFrame,
    gains: pd.DataFrame,
    leak_check: Mapping[str, Any],
    plots: ResultPlots,
) -> Section:
    """How good the network is on the benchmark, compared with what, and how certain that is.

    Args:
        values: `TransferResults` of one network and benchmark.
        predictions: `TransferPredictions`.
        gains: `TransferGains`.
        leak_check: numbers of sources and sounds that were searched for leaks, and what was noticed on the way.
        plots: of the results.
    """
    benchmark, complete = str(values["benchmark"].iloc[0]), bool(values["complete"].iloc[0])
    entry, main, asked = CATALOGUE[benchmark], main_predictions(predictions), coverage(predictions)
    protocol, keys = str(main["protocol"].iloc[0]), ["protocol", "representation", "metric"]
    means = values.groupby(keys)["value"].agg(["mean", "std"]).to_dict("index")
    ahead = gains[gains["metric"] == entry.measure].set_index(["protocol", "over"]).to_dict("index")
    folds = values[(values["protocol"] == protocol) & (values["metric"] == entry.measure)]
    by_fold = folds.pivot_table(index="fold", columns="representation", values="value")
    by_fold = by_fold[[name for name in REPRESENTATIONS if name in by_fold]]
    return {
        "benchmark": entry.title,
        "title": names.benchmark_title(benchmark, complete),
        "complete": complete,
        "published": PUBLISHED.get(benchmark, ()),
        "measures": entry.measures,
        "protocol": protocol,
        "asked": (main["file"].nunique(), main["truth"].nunique()),
        "comparisons": [
            (
                *key,
                asked[key],
                [html.mean_and_std(*means[*key, metric].values()) for metric in entry.measures],
                ahead.get(key),
            )
            for name in PROTOCOLS
            for key in [(name, representation) for representation in REPRESENTATIONS]
            if key in asked
        ],
        "means": {name: means[protocol, name, entry.measure] for name in by_fold},
        "untrained": next(
            ((name, ahead[protocol, name]) for name in (RANDOM, SCRATCH) if (protocol, name) in ahead), None
        ),
        "advice": advice(means, ahead, protocol, entry.measure),
        "own": entry.size is None,
        "folds": by_fold.to_dict("index"),
        "one_class": main.drop_duplicates("file")["truth"].value_counts(normalize=True).max(),
        "leak_check": leak_check,
        "plots": plots,
    }


def describe_strengths(strengths: pd.DataFrame) -> Section:
    """The regularisation of the linear probes, and where it is at an end of what was on offer.

    Args:
        strengths: `ProbeStrengths`; without rows if no probe was asked for.
    """
    chosen = {
        name: rows.sort_values("fold")["strength"].tolist()
        for name, rows in strengths.groupby("representation")
        if len(rows)
    }
    at_edge = Counter(zip(strengths["representation"], strengths["edge"], strict=True))
    return {
        "chosen": {name: chosen[name] for name in REPRESENTATIONS if name in chosen},
        "at_edge": [(name, edge, folds, len(chosen[name])) for (name, edge), folds in at_edge.items() if edge],
    }


def advice(
    means: Mapping[Any, Mapping[Any, float]], gains: Mapping[Any, Mapping[Any, float]], protocol: str, measure: str
) -> list[str]:
    """What follows where the network is behind something that cost no training, in sentences; none where it is not.

    Args:
        means: mean over folds by protocol, representation and measure.
        gains: `gain` and `p_value` of the network by protocol and what it is compared with.
        protocol, measure: that stand for the others.
    """
    said = []
    for other, what, remedy, if_by_chance in ADVICE:
        gain = gains.get((protocol, other))
        if gain is None or gain["gain"] >= 0 or (protocol, PRETRAINED, measure) not in means:
            continue
        behind = f"{-100 * gain['gain']:.1f} points ahead of the trained network (p = {html.p_value(gain['p_value'])})"
        behind = behind.replace("p = <", "p <")
        is_sure = gain["p_value"] < SIGNIFICANCE
        said.append(
            f"{what} {behind}. {remedy}" if is_sure else f"{what} {behind}, which may be chance. {if_by_chance}"
        )
    return said
