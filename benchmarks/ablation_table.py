"""The tables of the ablation, from the runs in its MLflow store."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import mlflow
import pandas as pd
from machine import describe_machine

EXPERIMENT = "ablation"
TRAINED, ESC10 = "trained", "esc10"
"""The two runs of a network: training with the sample benchmark, and ESC-10."""
BELOW = "<!-- What follows is written by benchmarks/ablation.py; what stands above is kept. -->"
TITLE = "# What each option of `vggish_plus` is worth\n"


@dataclass(frozen=True)
class Row:
    """A network of the table.

    Attributes:
        name: on the command line and in the store.
        label: in the table.
        settings: run parameters by which it differs from the full network.
    """

    name: str
    label: str
    settings: Mapping[str, str]


@dataclass(frozen=True)
class Figures:
    """Results of one training.

    Attributes:
        parameters: weights of the network, its classifier among them.
        clips_per_s: trained on, the middle one of its epochs.
        validation_map: mean average precision of machine labels, at the best epoch, percent.
        sample: accuracy of linear probes on the sample benchmark, percent.
        esc10: the same on ESC-10...
        random_esc10: ...and from the same network at random initialisation.
        data: stands for the clips and labels that it was trained on.
    """

    parameters: int
    clips_per_s: float
    validation_map: float
    sample: float
    esc10: float
    random_esc10: float
    data: str


def settings_of(row: Row, seed: int, epochs: int) -> dict[str, str]:
    """Run parameters of a training, which identify a stored run."""
    common = {"train.epochs": str(epochs), "train.seed": str(seed), "transfer_eval.random_seed": str(seed)}
    return {"train.model": "vggish_plus", **common, **row.settings}


def finished(settings: Mapping[str, str]) -> Figures | None:
    """The figures of the runs with these settings; None if one is missing or failed."""
    parts = {part: _latest(part, settings) for part in (TRAINED, ESC10)}
    if any(run is None for run in parts.values()):
        return None
    trained, esc10 = parts[TRAINED], parts[ESC10]
    card = mlflow.artifacts.load_dict(f"{trained['artifact_uri']}/card.json")
    speeds = mlflow.MlflowClient().get_metric_history(trained["run_id"], "epoch.clips_per_s")
    return Figures(
        parameters=card["parameter_count"],
        clips_per_s=statistics.median(speed.value for speed in speeds),
        validation_map=100 * card["best"]["validation_map"],
        sample=100 * trained["metrics.esc50.linear_probe.pretrained.accuracy"],
        esc10=100 * esc10["metrics.esc10.linear_probe.pretrained.accuracy"],
        random_esc10=100 * esc10["metrics.esc10.linear_probe.random.accuracy"],
        data=card["data_fingerprint"],
    )


def _latest(part: str, settings: Mapping[str, str]) -> Any:
    runs = mlflow.search_runs(
        experiment_names=[EXPERIMENT],
        filter_string=f"attributes.status = 'FINISHED' and tags.part = '{part}'",
        order_by=["attributes.start_time DESC"],
    )
    assert isinstance(runs, pd.DataFrame)
    if runs.empty:
        return None
    same = runs[runs["tags.settings"] == json.dumps(settings)]
    return None if same.empty else same.iloc[0]


def render(
    rows: Sequence[Row], seeds: Sequence[int], epochs: int, common: Mapping[str, str] = MappingProxyType({})
) -> str:
    """Both tables in Markdown: figures, and differences from the first row, seed by seed.

    Raises:
        SystemExit: if the store lacks a run, or holds runs on different clips and labels.
    """
    found = [(row, [finished(settings_of(row, seed, epochs)) for seed in seeds]) for row in rows]
    lacking = [row.name for row, figures in found if None in figures]
    if lacking:
        raise SystemExit(f"the store lacks runs of {', '.join(lacking)}: run without --table-only, or choose --rows")
    whole = [(row, [figure for figure in figures if figure is not None]) for row, figures in found]
    if len({figure.data for _, figures in whole for figure in figures}) > 1:
        raise SystemExit("the store holds runs on different clips and labels: give each data root a --store of its own")
    first, full = whole[0]
    return "\n".join(
        [
            f"Seeds {', '.join(map(str, seeds))}; {epochs} epochs{_all_have(common)}; {describe_machine()}. "
            "Mean ± standard deviation over seeds.",
            "",
            *_table(
                ["", "parameters", "clips/s", "validation mAP", "sample benchmark", "ESC-10", "ESC-10, untrained"],
                [_figures_of(row, figures) for row, figures in whole],
            ),
            "",
            f"Difference from {first.label}, each seed from the same seed:",
            "",
            *_table(
                ["", "validation mAP", "sample benchmark", "ESC-10"],
                [_differences_of(row, figures, full) for row, figures in whole[1:]],
            ),
        ]
    )


def _all_have(common: Mapping[str, str]) -> str:
    return "".join(f"; `{name}: {value}`" for name, value in common.items())


def _figures_of(row: Row, figures: Sequence[Figures]) -> list[str]:
    return [
        row.label,
        f"{figures[0].parameters:,}",
        _spread([figure.clips_per_s for figure in figures]),
        _spread([figure.validation_map for figure in figures]),
        _spread([figure.sample for figure in figures]),
        _spread([figure.esc10 for figure in figures]),
        _spread([figure.random_esc10 for figure in figures]),
    ]


def _differences_of(row: Row, figures: Sequence[Figures], full: Sequence[Figures]) -> list[str]:
    pairs = list(zip(figures, full, strict=True))
    return [
        row.label,
        _spread([one.validation_map - other.validation_map for one, other in pairs], "+"),
        _spread([one.sample - other.sample for one, other in pairs], "+"),
        _spread([one.esc10 - other.esc10 for one, other in pairs], "+"),
    ]


def _spread(values: Sequence[float], sign: str = "") -> str:
    mean = f"{statistics.mean(values):{sign}.1f}"
    return f"{mean} ± {statistics.stdev(values):.1f}" if len(values) > 1 else mean


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    ruler = ["---", *["---:"] * (len(header) - 1)]
    return [f"| {' | '.join(cells)} |" for cells in (header, ruler, *rows)]


def write_table(page: Path, text: str) -> None:
    """Write the tables at the end of a page; hand-written text above them is kept."""
    above = page.read_text().partition(BELOW)[0] if page.exists() else f"{TITLE}\n"
    page.write_text(f"{above}{BELOW}\n\n{text}\n")
