"""The report's sections on the benchmark: how good, compared with what, how surely, and on which classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go

from xmodal_kedro.evaluation.benchmarks.catalogue import CATALOGUE
from xmodal_kedro.evaluation.benchmarks.published import PUBLISHED
from xmodal_kedro.evaluation.plots import NAMES, PROTOCOLS, main_predictions
from xmodal_kedro.evaluation.representations import LOG_MEL, PRETRAINED, RANDOM, SCRATCH, TEACHER
from xmodal_kedro.evaluation.statistics import coverage
from xmodal_kedro.reports import html

MEASURES = {
    "accuracy": "Accuracy",
    "class_accuracy": "Mean accuracy of classes",
    "class_precision": "Mean precision of classes",
}
ORDER = (PRETRAINED, RANDOM, SCRATCH, LOG_MEL, TEACHER)
HOW = {
    "linear_probe": "a linear model on frozen embeddings",
    "fine_tune": "training the whole network on it",
    "zero_shot": "taking the network's own classes for its",
}


@dataclass(frozen=True)
class Results:
    """What came out on one benchmark.

    Attributes:
        values: as `schemas.TransferResults`.
        predictions: as `schemas.TransferPredictions`.
        gains: as `schemas.TransferGains`.
        leak_check: what was looked through for leaks.
    """

    values: pd.DataFrame
    predictions: pd.DataFrame
    gains: pd.DataFrame
    leak_check: Mapping[str, int]

    @property
    def name(self) -> str:
        """Of the benchmark."""
        return str(self.values["benchmark"].iloc[0])

    @property
    def title(self) -> str:
        """Of the benchmark, for readers."""
        return title_of(self.name, self.is_complete)

    @property
    def is_complete(self) -> bool:
        """Whether it is all of the published benchmark, and not another folder in its layout."""
        return bool(self.values["complete"].iloc[0])

    @property
    def _main(self) -> pd.DataFrame:
        return main_predictions(self.predictions)

    @property
    def protocol(self) -> str:
        """The one that stands for the others."""
        return str(self._main["protocol"].iloc[0])

    @property
    def measure(self) -> str:
        """The benchmark's first."""
        return CATALOGUE[self.name].measures[0]

    def opening(self) -> str:
        """What was judged how, and the most important numbers."""
        told = self._main
        lead = (
            f"Judged on {self.title}: {told['file'].nunique():,} clips of {told['truth'].nunique()} classes, by "
            f"{HOW[self.protocol]}."
        )
        figures = [("Pretrained", *self._headline(PRETRAINED))]
        for other in (RANDOM, SCRATCH):
            gain = self._gain(self.protocol, other)
            if gain is not None:
                figures += [
                    (NAMES[other].capitalize(), *self._headline(other)),
                    ("Gain", points(gain["gain"]), f"points, {interval(gain)}"),
                    ("p-value", p_value(gain["p_value"]), self._test),
                ]
                break
        return html.paragraph(lead, "lead") + html.headline(figures)

    def comparisons(self, gain_intervals: go.Figure) -> str:
        """Every protocol and representation, and the gains."""
        asked = coverage(self.predictions)
        everything = (self._main["file"].nunique(), self._main["truth"].nunique())
        rows = []
        for protocol in PROTOCOLS:
            for representation in [name for name in ORDER if (protocol, name) in asked]:
                clips, classes = asked[protocol, representation]
                part = "" if (clips, classes) == everything else f" ({clips} clips of {classes} classes)"
                cells = [self._mean(protocol, representation, metric) for metric in CATALOGUE[self.name].measures]
                gain = self._gain(protocol, representation)
                ahead = [""] * 3 if gain is None else [points(gain["gain"]), interval(gain), p_value(gain["p_value"])]
                rows.append((f"{NAMES[representation]}, {NAMES[protocol]}{part}", *cells, *ahead))
        measures = [MEASURES[metric] for metric in CATALOGUE[self.name].measures]
        columns = ("", *measures, "Pretrained is ahead by", "95 % interval", "p")
        return html.section(
            "Compared with",
            html.paragraph(
                "Percent, mean and standard deviation over the official folds. A linear probe is a logistic regression "
                "on standardised vectors, fitted on training clips, its strength chosen on those alone. A network's "
                "vector is the mean and the maximum over time of what its embedding is pooled from. Random weights are "
                "the same network at random initialisation, from scratch is that network trained on the benchmark; "
                "log-mel statistics learnt nothing; the audio teacher labelled what the network learnt from."
            ),
            html.table(columns, rows, numbers=range(1, len(columns))),
            html.figure(gain_intervals, "gain-intervals"),
            html.paragraph(f"Intervals and p: {self._test}.", "soft"),
            html.paragraph(self._looked_through(), "soft"),
        )

    def folds(self) -> str:
        """The first measure, fold by fold."""
        told = self.values[(self.values["protocol"] == self.protocol) & (self.values["metric"] == self.measure)]
        table = told.pivot_table(index="fold", columns="representation", values="value")
        shown = [name for name in ORDER if name in table]
        rows = [
            (f"Fold {fold}", *(f"{100 * row[name]:.1f}" for name in shown)) for fold, row in table[shown].iterrows()
        ]
        one_class = self._main.drop_duplicates("file")["truth"].value_counts(normalize=True).max()
        return html.section(
            f"{MEASURES[self.measure]}, fold by fold",
            html.paragraph(
                f"Percent, {NAMES[self.protocol]}. Always naming one class would make {100 * one_class:.1f} % of clips "
                "right at most."
            ),
            html.table(
                ("Test fold", *(NAMES[name].capitalize() for name in shown)), rows, numbers=range(1, len(shown) + 1)
            ),
        )

    def published(self) -> str:
        """Figures of others, where they compare."""
        known = CATALOGUE[self.name].title
        if self.name not in PUBLISHED:
            return html.section("Published results", html.paragraph("None is known for this benchmark."))
        if not self.is_complete:
            return html.section(
                "Published results",
                html.paragraph(
                    f"None is shown: these sounds have the layout of {known} but are not {known}, so its published "
                    "figures do not compare."
                ),
            )
        known_figures = PUBLISHED[self.name]
        rows = [(item.system, item.protocol, f"{item.accuracy_percent:g}", item.source) for item in known_figures]
        return html.section(
            "Published results",
            html.paragraph(
                f"Accuracies on {known} in percent, as their sources give them; none was measured here. Figures of one "
                "protocol compare."
            ),
            html.table(("System", "Protocol", "Accuracy", "Source"), rows, numbers=(2,)),
        )

    def classes(self, class_gains: go.Figure, confusion_matrix: go.Figure) -> str:
        """Which classes gained, and which are mistaken for each other."""
        gained = html.figure(class_gains, "class-gains") if class_gains.data else ""
        return html.section(
            "Class by class",
            html.paragraph("How many more clips of each class are right than without pretraining, in points."),
            gained,
            html.paragraph(
                "Test clips of all folds by true class (rows) and predicted class (columns), pretrained. Colour is the "
                "share of the true class."
            ),
            html.figure(confusion_matrix, "confusion-matrix"),
        )

    def _looked_through(self) -> str:
        silent = self.leak_check["silent_sounds"]
        return (
            f"None of the {self.leak_check['sounds']:,} sounds was found among the {self.leak_check['sources']:,} "
            "sources of training, by content or by the Freesound id that names carry."
            + (f" {silent:,} sounds are silent; they are judged like all others." if silent else "")
        )

    @property
    def _test(self) -> str:
        if self.values["fold"].nunique() == 1:
            return "paired bootstrap over the clips of the one test"
        return "paired t-test over folds, corrected for training sets that overlap (Nadeau and Bengio, 2003)"

    def _gain(self, protocol: str, over: str) -> pd.Series | None:
        gains = self.gains
        found = gains[(gains["protocol"] == protocol) & (gains["over"] == over) & (gains["metric"] == self.measure)]
        return None if found.empty else found.iloc[0]

    def _told(self, protocol: str, representation: str, metric: str) -> pd.Series:
        values = self.values
        is_it = (values["protocol"] == protocol) & (values["representation"] == representation)
        return values.loc[is_it & (values["metric"] == metric), "value"]

    def _headline(self, representation: str) -> tuple[str, str]:
        told = self._told(self.protocol, representation, self.measure)
        deviation = f"± {100 * told.std():.1f} over folds" if len(told) > 1 else "on the one test"
        return f"{100 * told.mean():.1f} %", deviation

    def _mean(self, protocol: str, representation: str, metric: str) -> str:
        told = self._told(protocol, representation, metric)
        return f"{100 * told.mean():.1f}" + (f" ± {100 * told.std():.1f}" if len(told) > 1 else "")


def title_of(benchmark: str, complete: bool) -> str:
    """A benchmark's name for readers; of a part of it, or of other sounds in its folder's layout, what they are."""
    known = CATALOGUE[benchmark].title
    return known if complete or benchmark == "csv" else f"sounds in the layout of {known}"


def points(gain: float) -> str:
    """A difference of shares in points, with its sign unless it rounds to nothing."""
    text = f"{100 * gain:+.1f}".replace("-", "−")
    return "0.0" if text[1:] == "0.0" else text


def interval(gain: pd.Series) -> str:
    """Both ends of a gain's confidence interval."""
    return f"{points(gain['low'])} to {points(gain['high'])}"


def p_value(p: float) -> str:
    """As it is printed."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
