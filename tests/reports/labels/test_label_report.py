from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from plotly.offline import get_plotlyjs
from tests.reports.labels import world

from xmodal_kedro.labels.accounting import STAGES as REVIEWED_STAGES
from xmodal_kedro.labels.metrics import label_metrics
from xmodal_kedro.reports.labels.association_matrix import association_matrix
from xmodal_kedro.reports.labels.counts_sections import LOST, STAGES, clips_lost
from xmodal_kedro.reports.labels.histogram import label_histogram
from xmodal_kedro.reports.labels.label_report import LabelReportInputs, render
from xmodal_kedro.reports.labels.scores import plot_scores

VOID = {"meta", "img", "br"}


def report_inputs() -> LabelReportInputs:
    summary, source = world.summary(), world.labelled_clips()
    return LabelReportInputs(
        label_summary=summary,
        label_metrics=label_metrics(summary, world.vocabulary(), world.dropped()),
        label_vocabulary=world.vocabulary(),
        candidate_classes=world.candidates(),
        dropped_classes=world.dropped(),
        class_thresholds=world.thresholds(),
        class_associations=world.associations(),
        label_histogram=label_histogram(world.vocabulary(), summary),
        label_scores=plot_scores(world.survey()),
        association_matrix=association_matrix(world.associations(), world.PARAMS.agreement),
        params=world.PARAMS,
        random=source.views(summary["random"]),
        contradictory=source.views(summary["contradictory"]),
    )


def rendered(**changes: Any) -> str:
    return render(replace(report_inputs(), **changes)).replace(get_plotlyjs(), "")


def rows(page: str) -> list[list[str]]:
    return [
        re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in re.findall(r"<tr.*?</tr>", page, re.DOTALL)
    ]


@pytest.fixture(scope="module")
def page() -> str:
    return rendered()


def test_the_page_opens_with_the_rule_and_four_numbers(page: str) -> None:
    assert "Targets of 4 clips by the rule union: the classes of both teachers." in page
    assert "<dt>Clips with a target</dt><dd>75 %<small>1.7 classes each<" in page
    assert "<dt>Teachers agree</dt><dd>50 %<" in page


def test_every_stage_of_merging_has_its_words() -> None:
    assert tuple(STAGES) == tuple(LOST) == REVIEWED_STAGES


def test_labels_and_clips_are_told_by_what_they_passed(page: str) -> None:
    assert ["stored by the teacher", "4\n100 %", "3\n100 %", "4\n100 %"] in rows(page)
    assert ["of a class that enough clips have", "2\n50 %", "3\n100 %", "3\n75 %"] in rows(page)
    assert "supported by a label" not in page, "the rule does not ask for it"


def test_clips_without_a_target_add_up_by_reason(page: str) -> None:
    assert clips_lost(world.summary()) == {"no label over the threshold": 1}
    assert ["all without a target", "1"] in rows(page)
    assert "by sight 1 (1 without a score worth storing)" in page


def test_conditions_that_are_set_are_shown() -> None:
    params = world.PARAMS.model_validate(
        {
            **world.PARAMS.model_dump(),
            "rule": "agreement",
            "max_clips": 9,
            "visual": {"threshold": 0.4, "top_k": 2, "max_rate": 0.25},
        }
    )
    page = rendered(params=params)
    assert all(words.replace("'", "&#x27;") in page for words in STAGES.values())
    assert ["dog", "seen", "9", "1", "0.879"] in rows(page)
    assert "would label more than 25 % by sight of all clips" in page


def test_agreement_is_told_over_all_and_by_class(page: str) -> None:
    assert "In 1 of them (50 %) one supports another" in page
    assert ["dog", "seen", "1", "100 %"] in rows(page)
    assert ["Music", "heard", "2", "0 %"] in rows(page)


def test_associations_are_told_with_why_they_count(page: str) -> None:
    assert ["dog", "Bark", "2.0", "1", "1", "together"] in rows(page)
    assert ["cat", "Music", "−0.5", "1", "1", "none"] in rows(page)


def test_classes_are_left_out_by_reason_and_their_names_are_escaped(page: str) -> None:
    assert ["makes no sound", "1", "&lt;chair&gt; (7)"] in rows(page)
    assert ["too few clips", "1", "Speech (1)"] in rows(page)
    assert "<chair>" not in page


def test_clips_are_shown_at_random_and_where_the_teachers_contradict_each_other(page: str) -> None:
    assert page.count('<article class="clip">') == 5
    contradictory = page[page.index("The most contradictory clips") :]
    assert contradictory.count('<article class="clip">') == 1


def test_a_corpus_without_contradictions_pairs_or_losses_says_so() -> None:
    inputs = report_inputs()
    left = dict.fromkeys(STAGES, 4)
    page = rendered(
        label_summary={**inputs.label_summary, "both": 0, "agreeing": 0, "left": left},
        contradictory=[],
        class_associations=world.associations().head(0),
        dropped_classes=world.dropped().head(0),
        class_thresholds=world.thresholds().head(0),
    )
    assert "No clip has labels of both modalities that count." in page
    assert "No visual and audio class support each other, or occur together in 1 videos." in page
    assert "No clip has labels of both modalities without any support." in page
    assert "Every class that a teacher names over the threshold is a target." in page
    assert "Every clip has a target." in page


def test_the_page_needs_no_network_holds_plotly_once_and_is_the_same_again() -> None:
    page = render(report_inputs())
    assert page.count(get_plotlyjs()) == 1
    addresses = re.findall(r"<[^>]*(?:src|href)=\"?([^\">]*)", page.replace(get_plotlyjs(), ""))
    assert addresses and all(address.startswith("data:") for address in addresses)
    assert page == render(report_inputs())


def test_the_markup_is_balanced(page: str) -> None:
    open_tags: list[str] = []

    class Balance(HTMLParser):
        def handle_starttag(self, tag: str, attrs: object) -> None:
            if tag not in VOID:
                open_tags.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert open_tags.pop() == tag

    Balance().feed(page)
    assert open_tags == []
