"""The report of a run: what was learnt from what, and what it is worth."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from xmodal_kedro.reports import html
from xmodal_kedro.reports.transfer.result_sections import Results
from xmodal_kedro.reports.transfer.source_sections import learnt_from, near_duplicates
from xmodal_kedro.storage import Shards


@dataclass(frozen=True)
class ReportInputs:
    """What the report is made from: the data sets of these names, see `schemas`."""

    videos: pd.DataFrame
    rejected_videos: pd.DataFrame
    clips: Shards
    unclipped_videos: pd.DataFrame
    cut_short_videos: pd.DataFrame
    near_duplicates: pd.DataFrame
    source_outcomes: go.Figure
    labels: Shards
    label_vocabulary: pd.DataFrame
    label_metrics: dict[str, float]
    label_histogram: go.Figure
    model_card: dict[str, Any]
    training_history: pd.DataFrame
    training_curves: go.Figure
    leak_check: dict[str, int]
    transfer_results: pd.DataFrame
    transfer_predictions: pd.DataFrame
    transfer_gains: pd.DataFrame
    confusion_matrix: go.Figure
    gain_intervals: go.Figure
    class_gains: go.Figure
    embedding_map: go.Figure
    run_provenance: dict[str, str]


def render(inputs: ReportInputs) -> str:
    """One HTML page that needs nothing beside it."""
    title = f"What {inputs.model_card['model']} learnt from unlabelled videos"
    results = Results(inputs.transfer_results, inputs.transfer_predictions, inputs.transfer_gains, inputs.leak_check)
    parts = [
        f"<header><h1>{escape(title)}</h1>{results.opening()}</header>",
        results.comparisons(inputs.gain_intervals),
        results.folds(),
        results.published(),
        results.classes(inputs.class_gains, inputs.confusion_matrix),
        _embedding_map(inputs),
        learnt_from(
            inputs.videos,
            inputs.rejected_videos,
            inputs.unclipped_videos,
            inputs.cut_short_videos,
            inputs.source_outcomes,
            inputs.clips,
            inputs.labels,
        ),
        near_duplicates(inputs.near_duplicates),
        _labels(inputs),
        _training(inputs),
        _provenance(inputs),
    ]
    return html.page(title, parts)


def _embedding_map(inputs: ReportInputs) -> str:
    return html.section(
        "Map of the embedding",
        html.paragraph(
            "Each point is a sound of the benchmark, coloured by its class, which the network was never told. Points "
            "that are close have embeddings that are close (t-SNE); how far apart others are means little."
        ),
        html.figure(inputs.embedding_map, "embedding-map"),
    )


def _labels(inputs: ReportInputs) -> str:
    histogram = go.Figure(inputs.label_histogram)
    shown = [name for bars in histogram.data for name in bars.y]
    text = f"{histogram.layout.title.text or ''}."
    if len(shown) < len(inputs.label_vocabulary):
        text += f" The {len(shown)} most frequent are shown."
    histogram.update_yaxes(tickvals=shown, ticktext=[html.shortened(name) for name in shown])
    metrics = inputs.label_metrics
    agreeing = metrics.get("labels.agreeing_share")
    figures = [
        (
            "Classes",
            f"{len(inputs.label_vocabulary):,}",
            f"as diverse as {metrics['labels.classes.effective']:,.0f} equal ones",
        ),
        ("Classes a clip", f"{metrics['labels.classes_per_targeted_clip']:.1f}", "of those with a target"),
        (
            "Teachers agree",
            "–" if agreeing is None else f"{agreeing:.0%}".replace("%", " %"),
            "of clips that both label",
        ),
    ]
    return html.section(
        "Machine labels", html.headline(figures), html.paragraph(text), html.figure(histogram, "label-histogram")
    )


def _training(inputs: ReportInputs) -> str:
    card, history = inputs.model_card, inputs.training_history
    best = card["best"]
    by = inputs.label_vocabulary["modality"].value_counts()
    rows = [
        ("Network", card["model"]),
        ("Weights", f"{card['parameter_count']:,}"),
        ("Embedding", f"{card['embedding_size']:,} numbers a clip"),
        ("Classes", f"{len(card['classes']):,} ({', '.join(f'{count} {name}' for name, count in by.items())})"),
        ("Epochs", f"{len(history)}, weights taken after {best['epoch'] + 1}"),
        ("Validation mAP", f"{best['validation_map']:.3f}, against the machine labels of held-out videos"),
    ]
    return html.section(
        "Training",
        html.table((), rows, numbers=()),
        html.figure(inputs.training_curves, "training-curves"),
    )


def _provenance(inputs: ReportInputs) -> str:
    card = inputs.model_card
    rows = [
        ("Weights", card["weights_digest"]),
        ("Clips, labels and vocabulary", card["data_fingerprint"]),
        *inputs.run_provenance.items(),
        *((f"Version of {name}", version) for name, version in card["versions"].items()),
    ]
    return html.section(
        "Provenance",
        html.paragraph(
            "Hashes of what was trained and of what it was trained on: equal ones mean equal content. The MLflow run "
            "of the training has the same hashes, its commit of the code, and all parameters."
        ),
        html.table((), rows, numbers=()),
    )
