"""The page of a review's results shows each class with its plot, its threshold, or what is missing."""

from __future__ import annotations

import math
import re

import pandas as pd

from tests.reports.pages import flat
from xmodal_kedro.params import ReviewParams
from xmodal_kedro.reports.review_results import HEIGHT, MAX_SUSPECTS, WIDTH, ReviewResults, plot

PRECISION = pd.DataFrame(
    [
        ("Dog", "audio", 0.0, 100, 20, 18.0, 15, 0.7, 0.6, 0.8, 1.0),
        ("Dog", "audio", 0.5, 50, 12, 11.0, 12, 1.0, 0.92, 1.0, 0.6),
        ("Rain", "audio", 0.0, 40, 3, 3.0, 3, 1.0, 0.64, 1.0, math.nan),
        ("Rain", "audio", 0.5, 20, 0, 0.0, 0, math.nan, math.nan, math.nan, math.nan),
        ("Cat <b>", "visual", 0.0, 40, 9, 9.0, 1, 0.1, 0.05, 0.3, 1.0),
    ],
    columns=[
        *("name", "modality", "threshold", "clips", "answered", "effective", "right"),
        *("precision", "low", "high", "recall"),
    ],
)
THRESHOLDS = pd.DataFrame(
    [
        ("Dog", "audio", 0.9, 0.5, 1.0, 0.92, 12, math.nan),
        ("Rain", "audio", 0.9, math.nan, math.nan, math.nan, 3, 12.0),
        ("Cat <b>", "visual", 0.9, math.nan, math.nan, math.nan, 9, math.nan),
    ],
    columns=["name", "modality", "wanted", "threshold", "precision", "low", "answered", "missing"],
)
AGREEMENT = pd.DataFrame(
    [("anna", "ben", 10, 8, 0.6), ("anna", "carla", 2, 2, math.nan)],
    columns=["reviewer", "other", "questions", "same", "kappa"],
)
SUSPECTS = pd.DataFrame(
    [("c0", "Dog", "shard-all", "reviewers_differ", 1.0, "v0", 0.0, 4.0, "a&b.mp4")],
    columns=["clip_id", "name", "shard", "reason", "suspicion", "video_id", "start_s", "end_s", "uri"],
)
SUMMARY = {
    "review.questions": 32,
    "review.clips": 30,
    "review.answers": 40,
    "review.right": 0.6,
    "review.classes": 3,
    "review.classes_with_threshold": 1,
    "review.answers_per_minute": 12.5,
    "review.kappa": 0.6,
}


def results(suspects: int = 1) -> ReviewResults:
    many = pd.concat([SUSPECTS] * suspects)
    return ReviewResults(PRECISION, THRESHOLDS, AGREEMENT, many, SUMMARY, ReviewParams())


def test_every_class_has_its_threshold_or_what_is_missing() -> None:
    page = flat(results().render()).partition("<tbody>")[2]
    rows = re.findall(r'<tr><th>(.*?)</th><td>(\w+)</td>.*?<td class="open">([^<]*|<span.*?</span>) *</td></tr>', page)
    said = {name: re.sub("<.*?>", "", said).strip() for name, _, said in rows}
    assert said == {
        "Cat &lt;b&gt;": "at no score were so many right",
        "Dog": "",
        "Rain": "cannot keep 90 % yet: 12 more answers like these would",
    }


def test_agreement_speed_and_suspects_are_shown() -> None:
    page = flat(results().render())
    assert "12.5<small>answers a minute" in page
    assert "anna and ben" in page and "80 %" in page and "0.60" in page
    assert "a&amp;b.mp4, 0.0–4.0 s" in page and "reviewers differ" in page
    assert f"The {MAX_SUSPECTS} most suspicious, of 50" in flat(results(50).render())


def test_the_plot_is_of_all_thresholds_that_are_known() -> None:
    drawn = plot(PRECISION[PRECISION["name"] == "Rain"], 0.9)
    assert drawn["line"] == "0.0,0.0"
    dog = plot(PRECISION[PRECISION["name"] == "Dog"], 0.9)
    assert dog["line"] == f"0.0,{0.3 * HEIGHT:.1f} {WIDTH / 2:.1f},0.0"
    assert dog["words"] == "from score 0.00: 70% (60% to 80%); from score 0.50: 100% (92% to 100%)"


def test_without_answers_the_page_says_what_to_do() -> None:
    empty = {"review.questions": 0, "review.classes": 0, "review.classes_with_threshold": 0}
    tables = (table.iloc[:0] for table in (PRECISION, THRESHOLDS, AGREEMENT, SUSPECTS))
    page = flat(ReviewResults(*tables, empty, ReviewParams()).render())
    assert "There are no answers yet" in page and "<table" not in page


def test_the_page_needs_no_library() -> None:
    assert len(results().render()) < 30_000
