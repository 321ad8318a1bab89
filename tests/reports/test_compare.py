"""The report on rules of merging."""

from __future__ import annotations

import pandas as pd
import pytest

from tests.reports.pages import flat, table_rows
from xmodal_kedro.evaluation.benchmarks.benchmark import rotate
from xmodal_kedro.evaluation.rule_results import rule_gains, rule_values
from xmodal_kedro.reports.compare import CompareReport, better_than, plot_rules

MISSES = {"union": 0, "visual_only": 2, "untrained": 5}
"""Of the ten clips of a fold, by rule."""


def predictions() -> pd.DataFrame:
    rows = [
        (rule, seed, fold, f"{fold}-{clip}.wav", f"class_{clip % 2}", f"class_{(clip + (clip < misses)) % 2}")
        for rule, misses in MISSES.items()
        for seed in (0, 1)
        for fold in (1, 2, 3)
        for clip in range(10)
    ]
    return pd.DataFrame(rows, columns=["rule", "seed", "fold", "file", "truth", "predicted"])


def report(benchmark: str = "csv", complete: bool = True) -> CompareReport:
    values = rule_values(predictions(), ["accuracy"])
    gains = rule_gains(values, rotate(pd.Series([1, 2, 3] * 10).to_numpy()))
    metrics = {f"{benchmark}.{rule}.accuracy_std": 0.0 for rule in MISSES}
    metrics |= {"union.clips": 1234.0, "union.classes": 3.0, "union.validation_map": 0.54321}
    return CompareReport(benchmark, complete, values, gains, metrics, plot_rules(values, predictions()))


def test_the_best_rule_heads_the_page_and_each_has_a_row_with_what_it_was_trained_on() -> None:
    page = flat(report().render())
    assert "Labels of either teacher (union) are best on Sounds of your own, significantly ahead" in page
    rows = table_rows(page)
    assert ["either teacher (union)", "100.0 ± 0.0", "1,234", "3", "0.543"] in rows
    assert ["nothing (random weights)", "50.0 ± 0.0", "", "", ""] in rows
    assert any(row[:2] == ["either teacher (union) over nothing (random weights)", "+50.0"] for row in rows)


def test_sounds_in_the_layout_of_a_benchmark_are_not_called_by_its_name() -> None:
    assert "are best on sounds in the layout of ESC-10" in flat(report("esc10", complete=False).render())


@pytest.mark.parametrize(("p_value", "beaten"), [(0.049, ["the visual teacher"]), (0.05, [])])
def test_a_rule_is_better_than_those_it_is_significantly_ahead_of(p_value: float, beaten: list[str]) -> None:
    gains = pd.DataFrame({"rule": ["union", "audio_only"], "over": ["visual_only", "union"], "p_value": p_value})
    assert better_than("union", gains) == beaten


def test_rules_are_drawn_from_the_best_on_with_the_share_of_each_class_that_is_right() -> None:
    figure = plot_rules(rule_values(predictions(), ["accuracy"]), predictions())
    *seeds, mean, classes = figure.data
    assert [trace.name for trace in seeds] == ["seed 0", "seed 1"]
    assert list(mean.x) == pytest.approx([100, 80, 50])
    assert [list(row) for row in classes.z] == [[100, 100], [80, 80], [40, 60]]
