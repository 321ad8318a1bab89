from __future__ import annotations

import numpy as np
import pytest

from tests.evaluation.rule_networks import NAMED, all_rows, probe_task
from tests.fakes import MemoryShard
from tests.reports.pages import without_plotly
from xmodal_kedro.evaluation.rule_results import (
    holm,
    rule_gains,
    rule_metrics,
    rule_values,
)
from xmodal_kedro.reports.compare import CompareReport, plot_rules
from xmodal_kedro.schemas import RuleGains, RuleResults


def test_results_gains_and_page_agree_with_the_predictions(
    networks: dict[str, MemoryShard], predictions: dict[str, MemoryShard]
) -> None:
    table = all_rows(predictions)
    values = rule_values(table, ["accuracy", "class_accuracy"])
    RuleResults.validate(values.assign(complete=True, **NAMED))
    gains = rule_gains(values, probe_task().benchmark.splits)
    RuleGains.validate(gains.assign(**NAMED))
    accuracy = values[values["metric"] == "accuracy"]
    right = (table["truth"] == table["predicted"]).groupby(table["rule"]).mean()
    assert accuracy.groupby("rule")["value"].mean().to_dict() == pytest.approx(right.to_dict())
    equal = gains[(gains["metric"] == "accuracy") & gains["rule"].isin(["union", "visual_only"])]
    equal = equal[equal["over"].isin(["union", "visual_only"])]
    assert equal["gain"].tolist() == [0.0] and equal["p_value"].tolist() == [1.0]
    metrics = rule_metrics("csv", values, networks)
    assert metrics["csv.union.accuracy"] == pytest.approx(right["union"])
    assert metrics["union.clips"] == float(networks["union-0"].metadata["clips"])
    page = without_plotly(CompareReport("csv", True, values, gains, metrics, plot_rules(values, table)).render())
    assert f"{100 * right['union']:.1f} ±" in page and 'id="rules"' in page


def test_p_values_of_several_pairs_are_adjusted_by_holm() -> None:
    np.testing.assert_allclose(holm(np.array([0.04, 0.01, 0.03, 0.5])), [0.09, 0.04, 0.09, 0.5])
    np.testing.assert_allclose(holm(np.array([0.9, 0.8])), [1.0, 1.0])
