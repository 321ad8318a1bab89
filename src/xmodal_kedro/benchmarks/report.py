"""The report of a run: what was learnt from what, and what it is worth."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from xmodal_kedro import page
from xmodal_kedro.benchmarks.compare import PRETRAINED, RANDOM, fold_accuracies
from xmodal_kedro.benchmarks.esc50 import COMPLETE
from xmodal_kedro.benchmarks.published import PUBLISHED
from xmodal_kedro.benchmarks.source_sections import learnt_from, near_duplicates
from xmodal_kedro.handles import Shards

TITLES = {"esc50": "ESC-50", "esc10": "ESC-10"}


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
    transfer_results: pd.DataFrame
    transfer_predictions: pd.DataFrame
    transfer_metrics: dict[str, float]
    confusion_matrix: go.Figure


def render(inputs: ReportInputs) -> str:
    """One HTML page that needs nothing beside it."""
    title = f"What {inputs.model_card['model']} learnt from unlabelled videos"
    parts = [
        _opening(title, inputs),
        _result(inputs),
        _published(inputs),
        _confusion(inputs),
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
    ]
    return page.page(title, parts)


def _benchmark(inputs: ReportInputs) -> str:
    return str(inputs.transfer_results["benchmark"].iloc[0])


def _is_complete(inputs: ReportInputs) -> bool:
    """Whether the published benchmark was evaluated, and not another folder in its layout."""
    predictions = inputs.transfer_predictions
    return (predictions["file"].nunique(), predictions["truth"].nunique()) == COMPLETE[_benchmark(inputs)]


def _opening(title: str, inputs: ReportInputs) -> str:
    name, metrics = _benchmark(inputs), inputs.transfer_metrics
    predictions = inputs.transfer_predictions
    what = TITLES[name] if _is_complete(inputs) else f"sounds in the layout of {TITLES[name]}"
    lead = (
        f"Judged on {what}: {predictions['file'].nunique()} clips of {predictions['truth'].nunique()} classes, by a "
        "linear model on frozen embeddings."
    )

    def accuracy(initialisation: str) -> tuple[str, str]:
        mean, deviation = (metrics[f"{name}.{initialisation}.{key}"] for key in ("accuracy", "accuracy_std"))
        return f"{100 * mean:.1f} %", f"± {100 * deviation:.1f} over folds"

    figures = [
        ("Pretrained", *accuracy(PRETRAINED)),
        ("Random weights", *accuracy(RANDOM)),
        ("Gain", _points(metrics[f"{name}.gain"]), f"points, ± {100 * metrics[f'{name}.gain_std']:.1f} over folds"),
        ("p-value", _p_value(metrics[f"{name}.p_value"]), "corrected paired t-test"),
    ]
    return f"<header><h1>{escape(title)}</h1>{page.paragraph(lead, 'lead')}{page.headline(figures)}</header>"


def _result(inputs: ReportInputs) -> str:
    name, metrics = _benchmark(inputs), inputs.transfer_metrics
    accuracies = fold_accuracies(inputs.transfer_predictions)
    one_class = inputs.transfer_predictions["truth"].value_counts(normalize=True).max()
    rows = [
        (
            f"Fold {fold}",
            f"{100 * row[PRETRAINED]:.1f}",
            f"{100 * row[RANDOM]:.1f}",
            _points(row[PRETRAINED] - row[RANDOM]),
        )
        for fold, row in accuracies.iterrows()
    ]

    def total(key: str, deviation: str, signed: bool = False) -> str:
        mean = _points(metrics[f"{name}.{key}"]) if signed else f"{100 * metrics[f'{name}.{key}']:.1f}"
        return f"{mean} ± {100 * metrics[f'{name}.{deviation}']:.1f}"

    mean = (
        "Mean",
        total(f"{PRETRAINED}.accuracy", f"{PRETRAINED}.accuracy_std"),
        total(f"{RANDOM}.accuracy", f"{RANDOM}.accuracy_std"),
        total("gain", "gain_std", signed=True),
    )
    return page.section(
        "Accuracy, fold by fold",
        page.paragraph(
            "Percent of test clips classified correctly. Each fold is tested by a logistic regression on standardised "
            "embeddings, fitted on the other folds, its regularisation chosen on those alone. Random is the same "
            f"network at random initialisation; ± is the standard deviation over folds. Always naming one class would "
            f"score {100 * one_class:.1f} at most."
        ),
        page.table(("Test fold", "Pretrained", "Random", "Gain"), [*rows, mean], numbers=(1, 2, 3), totals=1),
        page.paragraph(
            f"p = {_p_value(metrics[f'{name}.p_value'])} for a gain of zero, by the paired t-test over folds with "
            "Nadeau and Bengio's correction for training sets that overlap.",
            "soft",
        ),
    )


def _published(inputs: ReportInputs) -> str:
    name = _benchmark(inputs)
    if not _is_complete(inputs):
        return page.section(
            "Published results",
            page.paragraph(
                f"None is shown: these sounds have the layout of {TITLES[name]} but are not {TITLES[name]}, so its "
                "published accuracies do not compare."
            ),
        )
    rows = [(item.system, item.protocol, f"{item.accuracy_percent:g}", item.source) for item in PUBLISHED[name]]
    return page.section(
        "Published results",
        page.paragraph(f"Accuracies on {TITLES[name]} in percent, as their sources give them; none was measured here."),
        page.table(("System", "Protocol", "Accuracy", "Source"), rows, numbers=(2,)),
    )


def _confusion(inputs: ReportInputs) -> str:
    return page.section(
        "Confusion matrix",
        page.paragraph(
            "Test clips of all folds by true class (rows) and predicted class (columns), on the pretrained embeddings. "
            "Colour is the share of the true class."
        ),
        page.figure(inputs.confusion_matrix, "confusion-matrix"),
    )


def _labels(inputs: ReportInputs) -> str:
    histogram = go.Figure(inputs.label_histogram)
    shown = [name for bars in histogram.data for name in bars.y]
    text = f"{histogram.layout.title.text or ''}."
    if len(shown) < len(inputs.label_vocabulary):
        text += f" The {len(shown)} most frequent are shown."
    histogram.update_yaxes(tickvals=shown, ticktext=[page.shortened(name) for name in shown])
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
    return page.section(
        "Machine labels", page.headline(figures), page.paragraph(text), page.figure(histogram, "label-histogram")
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
    return page.section(
        "Training",
        page.table((), rows, numbers=()),
        page.figure(inputs.training_curves, "training-curves"),
    )


def _points(gain: float) -> str:
    text = f"{100 * gain:+.1f}".replace("-", "−")
    return "0.0" if text[1:] == "0.0" else text


def _p_value(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
