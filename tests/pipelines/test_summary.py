"""The pipeline `summary`: the results of all runs are collected unchanged."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.reports.pages import flat, without_plotly
from xmodal_kedro.datasets.errors import DataError
from xmodal_kedro.datasets.tables import TablesDataset
from xmodal_kedro.errors import UserError
from xmodal_kedro.pipelines.summary import nodes
from xmodal_kedro.schemas import (
    NetworkSummary,
    RuleGains,
    RuleResults,
    RuleSummary,
    TransferGains,
    TransferResults,
)

ACCURACIES = {
    ("esc10", "vggish_plus", "pretrained"): (0.9, 0.94),
    ("esc10", "vggish_plus", "random"): (0.8, 0.82),
    ("esc10", "vggish_plus", "log_mel"): (0.7, 0.8),
    ("esc10", "resnet50", "pretrained"): (0.84, 0.88),
    ("esc10", "resnet50", "random"): (0.7, 0.7),
    ("esc10", "resnet50", "log_mel"): (0.7, 0.8),
    ("csv", "vggish_plus", "pretrained"): (0.5,),
    ("csv", "vggish_plus", "random"): (0.25,),
}


def transfer_results() -> pd.DataFrame:
    rows = [
        (benchmark, benchmark == "csv", model, "linear_probe", representation, 1 + fold, metric, value)
        for (benchmark, model, representation), values in ACCURACIES.items()
        for fold, value in enumerate(values)
        for metric in ("accuracy", "class_accuracy")
    ]
    columns = ["benchmark", "complete", "model", "protocol", "representation", "fold", "metric", "value"]
    return TransferResults.validate(pd.DataFrame(rows, columns=columns))


def transfer_gains() -> pd.DataFrame:
    results = transfer_results()
    means = results.groupby(["benchmark", "model", "protocol", "representation", "metric"])["value"].mean()
    rows = []
    for (benchmark, model, protocol, over, metric), mean in means.items():  # type: ignore[misc]
        if over != "pretrained":
            gain = means[benchmark, model, protocol, "pretrained", metric] - mean
            rows.append((benchmark, model, protocol, over, metric, gain, gain - 0.02, gain + 0.02, 0.01, 2))
    return TransferGains.validate(pd.DataFrame(rows, columns=list(TransferGains.to_schema().columns)))


def compare_results() -> pd.DataFrame:
    rows = [
        (benchmark, True, "vggish_plus", rule, seed, fold, "accuracy", value + 0.02 * seed)
        for benchmark, values in (
            ("esc10", {"union": 0.9, "untrained": 0.7}),
            ("csv", {"union": 0.4, "untrained": 0.5}),
        )
        for rule, value in values.items()
        for seed in (0, 1)
        for fold in (1, 2)
    ]
    return RuleResults.validate(pd.DataFrame(rows, columns=list(RuleResults.to_schema().columns)))


def compare_gains() -> pd.DataFrame:
    rows = [
        ("esc10", "vggish_plus", "union", "untrained", "accuracy", 0.2, 0.1, 0.3, 0.01),
        ("csv", "vggish_plus", "untrained", "union", "accuracy", 0.1, -0.1, 0.3, 0.2),
    ]
    return RuleGains.validate(pd.DataFrame(rows, columns=list(RuleGains.to_schema().columns)))


def through_csv(table: pd.DataFrame) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(table.to_csv(index=False)))


def empty(schema: Any) -> pd.DataFrame:
    return pd.DataFrame(columns=list(schema.to_schema().columns))


def summary() -> str:
    """The page."""
    networks, rules, plot = nodes.summarise(transfer_results(), transfer_gains(), compare_results())
    return nodes.write_summary(networks, rules, compare_gains(), plot)


def test_means_standard_deviations_and_gains_are_those_of_the_runs() -> None:
    networks, rules, _ = nodes.summarise(transfer_results(), transfer_gains(), compare_results())
    NetworkSummary.validate(networks)
    RuleSummary.validate(rules)
    accuracies = networks[networks["metric"] == "accuracy"].set_index(["benchmark", "model", "representation"])
    assert set(accuracies.index) == set(ACCURACIES)
    random = accuracies.loc[("esc10", "vggish_plus", "random")]
    assert random[["mean", "deviation", "folds"]].tolist() == pytest.approx([0.81, 0.02 / 2**0.5, 2])
    assert random[["gain", "low", "high", "p_value"]].tolist() == pytest.approx([0.11, 0.09, 0.13, 0.01])
    assert accuracies.loc[("esc10", "resnet50", "pretrained"), ["gain", "p_value"]].isna().all()
    assert pd.isna(accuracies.loc[("csv", "vggish_plus", "pretrained"), "deviation"])
    union = rules[(rules["rule"] == "union") & (rules["benchmark"] == "esc10")].iloc[0]
    assert union[["mean", "deviation", "seeds"]].tolist() == pytest.approx([0.91, 0.02 / 2**0.5, 2])
    assert rules.drop_duplicates("benchmark").set_index("benchmark")["rule"].to_dict() == {
        "esc10": "union",
        "csv": "untrained",
    }


@pytest.mark.parametrize("order", [lambda table: table[::-1], lambda table: table.sample(frac=1, random_state=1)])
def test_the_order_in_which_runs_are_found_does_not_matter(order: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    tables = (transfer_results(), transfer_gains(), compare_results())
    for one, other in zip(nodes.summarise(*tables)[:2], nodes.summarise(*map(order, tables))[:2], strict=True):
        pd.testing.assert_frame_equal(one, other)


def test_the_page_has_a_row_for_each_network_and_a_column_for_each_benchmark() -> None:
    page = flat(summary())
    assert "sounds in the layout of ESC-10, accuracy" in page and "Sounds of your own, accuracy" in page
    row = page[page.index("vggish_plus, pretrained") :]
    assert ">92.0 ± 2.8<" in row[: row.index("</tr>")] and ">50.0<" in row[: row.index("</tr>")]
    assert page.count("<th>Log-mel statistics</th>") == 1, "it is the same beside every network"
    assert "are best on ESC-10, significantly ahead (p &lt; 0.05) of nothing (random weights)" in page
    assert "Labels of nothing (random weights) are best on Sounds of your own, but significantly" in page


def test_results_of_runs_that_disagree_on_a_comparison_have_rows_of_their_own() -> None:
    results = transfer_results()
    is_it = (results["model"] == "resnet50") & (results["representation"] == "log_mel")
    results.loc[is_it, "value"] += 0.01
    networks, rules, plot = nodes.summarise(results, transfer_gains(), compare_results())
    page = without_plotly(nodes.write_summary(networks, rules, compare_gains(), plot))
    assert "resnet50, log-mel statistics" in page and "vggish_plus, log-mel statistics" in page


@pytest.mark.parametrize("kind", ["networks", "rules"])
def test_one_kind_of_results_is_enough(kind: str) -> None:
    results, gains = (
        (transfer_results(), transfer_gains()) if kind == "networks" else (empty(TransferResults), empty(TransferGains))
    )
    of_rules, pairs = (
        (compare_results(), compare_gains()) if kind == "rules" else (empty(RuleResults), empty(RuleGains))
    )
    *tables, plot = nodes.summarise(results, gains, of_rules)
    networks, rules = map(through_csv, tables)
    NetworkSummary.validate(networks)
    RuleSummary.validate(rules)
    page = without_plotly(nodes.write_summary(networks, rules, pairs, plot))
    assert ("What pretraining gave" in page) == (kind == "networks")
    assert ("learns most from" in page) == (kind == "rules")


def test_without_any_results_it_says_what_to_run() -> None:
    with pytest.raises(UserError, match="run transfer_eval or compare"):
        nodes.summarise(empty(TransferResults), empty(TransferGains), empty(RuleResults))


class TestTables:
    def test_are_all_that_match_and_no_other(self, tmp_path: Path) -> None:
        for name in ("b/esc10", "a/esc10", "a/csv", "a/csv/compare"):
            folder = tmp_path / name
            folder.mkdir(parents=True)
            compare_results().assign(model=name).to_parquet(folder / "results.parquet")
        found = TablesDataset(path=f"{tmp_path}/*/*/results.parquet", schema="xmodal_kedro.schemas.RuleResults").load()
        assert found["model"].drop_duplicates().tolist() == ["a/csv", "a/esc10", "b/esc10"]
        assert len(found) == 3 * len(compare_results())

    def test_of_which_there_is_none_have_columns_and_no_rows(self, tmp_path: Path) -> None:
        found = TablesDataset(path=f"{tmp_path}/*/results.parquet", schema="xmodal_kedro.schemas.RuleResults")
        assert found.exists(), "a run does not have to wait for one"
        assert found.load().columns.tolist() == list(RuleResults.to_schema().columns)

    @pytest.mark.parametrize("spoil", ["bytes", "columns"])
    def test_that_are_spoilt_or_of_another_version_are_named(self, tmp_path: Path, spoil: str) -> None:
        path = tmp_path / "results.parquet"
        if spoil == "bytes":
            path.write_bytes(b"PAR1")
        else:
            compare_results().drop(columns="complete").to_parquet(path)
        with pytest.raises(DataError, match=r"results.parquet is not a table of RuleResults .*: run the pipeline"):
            TablesDataset(path=f"{tmp_path}/*.parquet", schema="xmodal_kedro.schemas.RuleResults").load()
