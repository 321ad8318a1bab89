from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.adapt.test_linear import corpus
from xmodal_kedro.adapt.classifier import describe_classifier
from xmodal_kedro.adapt.curve import learning_curve
from xmodal_kedro.adapt.evaluate import classes_table, evaluate, predictions_table, results_table
from xmodal_kedro.adapt.targets import Targets
from xmodal_kedro.params import AdaptParams
from xmodal_kedro.reports.adapt import plots
from xmodal_kedro.reports.adapt.report import AdaptReport
from xmodal_kedro.reports.model_card import describe_classifier as card_for_readers
from xmodal_kedro.schemas import AdaptClasses, AdaptPredictions, AdaptResults

PARAMS = AdaptParams(regularisation=(0.1,))


def report(exclusive: bool = True, spread: float = 6.0, log_mel_spread: float = 9.0) -> AdaptReport:
    """Of three classes; a larger spread of their vectors makes them harder."""
    vectors, targets = corpus({"kettle": 30, "tap": 25, "<i>knock</i>": 20}, 20, PARAMS, spread)
    if not exclusive:
        targets = Targets(targets.clips, targets.classes, targets.is_heard, targets.groups, targets.folds, False)
    other, _ = corpus({"kettle": 30, "tap": 25, "<i>knock</i>": 20}, 20, PARAMS, log_mel_spread)
    evaluated = evaluate({"network": vectors, "log_mel": other}, targets, PARAMS)
    held_out = evaluated["network"]
    classes = AdaptClasses.validate(classes_table(held_out, targets, PARAMS))
    card = describe_classifier(targets, held_out, classes, PARAMS, {"representation": "network", "weights_digest": "w"})
    predictions = AdaptPredictions.validate(predictions_table(held_out, targets))
    curve = learning_curve(vectors, targets, PARAMS)
    return AdaptReport(
        card | {"model": "vggish_plus"},
        AdaptResults.validate(results_table(evaluated, targets, "network")),
        predictions,
        classes,
        curve,
        plots.confusion(predictions, exclusive),
        plots.calibration(predictions, exclusive),
        plots.learning_curve(curve, exclusive),
    )


@pytest.mark.parametrize("exclusive", [True, False])
def test_the_page_escapes_names_and_has_all_its_parts(exclusive: bool) -> None:
    made = report(exclusive)
    page = made.render()
    assert "<i>knock" not in page.replace("\\u003ci\\u003eknock", "")
    assert all(part in page for part in ('id="confusion"', 'id="learning-curve"', 'id="calibration"', "--sure"))
    assert f"{100 * made.card['evaluation'][made.results['metric'].iloc[0]]:.1f} %" in page


def test_log_mel_that_beats_the_network_is_said_first_with_what_to_do() -> None:
    first, *_ = report(spread=20.0, log_mel_spread=1.0).advice()
    assert "Log-mel" in first and "more recordings" in first
    assert report().advice() == []


def test_a_teacher_that_beats_the_network_is_advised_or_its_use_explained() -> None:
    made = report(spread=20.0)
    teacher = made.results.assign(representation="teacher", value=0.99, used=False)
    better = replace(made, results=pd.concat([made.results, teacher]))
    assert any("representation: auto or teacher" in said for said in better.advice())
    used = replace(better, card=dict(made.card) | {"representation": "teacher"})
    assert any("lie beside it" in said for said in used.advice())


def test_mistakes_come_the_surest_first() -> None:
    scores = [row["score"] for row in report(spread=20.0)._mistakes()]
    assert scores and scores == sorted(scores, reverse=True)


def test_the_card_for_readers_names_every_class_with_its_threshold() -> None:
    text = card_for_readers(report().card)
    assert text.startswith("# my_sounds\n") and "`kettle`" in text and "0.9" not in text.splitlines()[0]
    assert np.isfinite(report().card["temperature"])
