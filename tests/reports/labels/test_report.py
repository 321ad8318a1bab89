from __future__ import annotations

import re
from typing import Any

import pytest
from plotly.offline import get_plotlyjs

from tests.reports.labels import world
from tests.reports.pages import flat, table_rows, unbalanced_tags, without_plotly
from xmodal_kedro.labels.accounting import STAGES
from xmodal_kedro.labels.metrics import label_metrics
from xmodal_kedro.reports.labels.contact_sheet import ShownClips
from xmodal_kedro.reports.labels.plots import association_matrix, label_histogram, plot_scores
from xmodal_kedro.reports.labels.report import LabelReport, clips_lost, describe_labels


def report(shown: ShownClips | None = None, **changes: Any) -> LabelReport:
    """Of the small world, with other arguments of `describe_labels` where some are given."""
    summary, source = world.summary(), world.labelled_clips()
    described = {
        "summary": summary,
        "metrics": label_metrics(summary, world.vocabulary(), world.dropped()),
        "vocabulary": world.vocabulary(),
        "candidates": world.candidates(),
        "dropped": world.dropped(),
        "thresholds": world.thresholds(),
        "associations": world.associations(),
        "params": world.PARAMS,
    }
    return LabelReport(
        describe_labels(**described | changes),
        shown or ShownClips(source.views(summary["random"]), source.views(summary["contradictory"])),
        label_histogram(world.vocabulary(), summary),
        plot_scores(world.survey()),
        association_matrix(world.associations(), world.PARAMS.agreement),
    )


def rendered(shown: ShownClips | None = None, **changes: Any) -> str:
    return without_plotly(report(shown, **changes).render())


@pytest.fixture(scope="module")
def page() -> str:
    return rendered()


def test_the_page_opens_with_the_rule_and_four_numbers(page: str) -> None:
    assert "Targets of 4 clips by the rule union: the classes of both teachers." in flat(page)
    assert "<dt>Clips with a target</dt><dd>75 %<small>1.7 classes each<" in page
    assert "<dt>Teachers agree</dt><dd>50 %<" in page


def test_labels_and_clips_are_counted_by_what_they_passed(page: str) -> None:
    assert ["stored by the teacher", "4\n100 %", "3\n100 %", "4\n100 %"] in table_rows(page)
    assert ["of a class that enough clips have", "2\n50 %", "3\n100 %", "3\n75 %"] in table_rows(page)
    assert "supported by a label" not in page, "the rule does not ask for it"


def test_clips_without_a_target_add_up_by_reason(page: str) -> None:
    assert clips_lost(world.summary()) == {"over_threshold": 1}
    assert ["all without a target", "1"] in table_rows(page)
    assert "visual 1 (1 without a score worth storing)" in page


def test_what_is_only_seen_on_stills_is_said_to_be_left_out_for_that() -> None:
    params = world.PARAMS.model_copy(update={"drop_seen_on_stills": True})
    lost = dict(zip(STAGES, range(len(STAGES) - 1, -1, -1), strict=True))
    rows = [row[0] for row in table_rows(rendered(params=params, summary={**world.summary(), "left": lost}))]
    assert "not only seen on a still picture" in rows and "every label only seen on a still picture" in rows
    agreement = rendered(params=params.model_copy(update={"rule": "agreement"}))
    assert "supported by a label of the other modality" in agreement and "still picture" not in agreement


def test_conditions_that_are_set_are_shown() -> None:
    params = world.PARAMS.model_validate(
        {
            **world.PARAMS.model_dump(),
            "rule": "agreement",
            "max_clips": 9,
            "visual": {"threshold": 0.4, "top_k": 2, "max_rate": 0.25},
        }
    )
    lost = dict(zip(STAGES, range(len(STAGES) - 1, -1, -1), strict=True))
    page = rendered(params=params, summary={**world.summary(), "clips": len(STAGES), "left": lost})
    named = [row[0] for row in table_rows(page)]
    first, last = named.index("stored by the teacher"), named.index("within the limit of a class&#39;s clips")
    assert last - first == len(STAGES) - 1
    first, last = named.index("no label stored"), named.index("all without a target")
    assert last - first == len(STAGES), "each stage has words for the clips that it costs"
    assert ["dog", "visual", "9", "1", "0.879"] in table_rows(page)
    assert "would label more than 25 % by the visual teacher of all clips" in flat(page)


def test_agreement_is_shown_over_all_and_by_class(page: str) -> None:
    assert "In 1 of them (50 %) one supports another: the same class, or one above" in flat(page)
    assert ["dog", "visual", "1", "100 %"] in table_rows(page)
    assert ["Music", "audio", "2", "0 %"] in table_rows(page)


def test_associations_are_shown_with_why_they_count(page: str) -> None:
    assert ["dog", "Bark", "2.0", "1", "1", "together"] in table_rows(page)
    assert ["cat", "Music", "−0.5", "1", "1", "none"] in table_rows(page)


def test_classes_are_left_out_by_reason_and_their_names_are_escaped(page: str) -> None:
    assert ["makes no sound", "1", "&lt;chair&gt; (7)"] in table_rows(page)
    assert ["too few clips", "1", "Speech (1)"] in table_rows(page)
    assert "<chair>" not in page


def test_clips_are_shown_at_random_and_where_the_teachers_contradict_each_other(page: str) -> None:
    assert page.count('<article class="clip">') == 5
    contradictory = page[page.index("The most contradictory clips") :]
    assert contradictory.count('<article class="clip">') == 1


def test_a_corpus_without_contradictions_pairs_or_losses_says_so() -> None:
    left = dict.fromkeys(STAGES, 4)
    page = rendered(
        ShownClips([], []),
        summary={**world.summary(), "both": 0, "agreeing": 0, "left": left},
        associations=world.associations().head(0),
        dropped=world.dropped().head(0),
        thresholds=world.thresholds().head(0),
    )
    assert "No clip has labels of both modalities that count." in page
    assert "No visual and audio class support each other, or occur together in 1 videos." in page
    assert "No clip has labels of both modalities without any support." in page
    assert "Every class that a teacher names over the threshold is a target." in page
    assert "Every clip has a target." in page


def test_the_page_needs_no_network_holds_plotly_once_and_is_the_same_again() -> None:
    page = report().render()
    assert page.count(get_plotlyjs()) == 1
    addresses = re.findall(r"<[^>]*(?:src|href)=\"?([^\">]*)", page.replace(get_plotlyjs(), ""))
    assert addresses and all(address.startswith("data:") for address in addresses)
    assert page == report().render()


def test_the_markup_is_balanced(page: str) -> None:
    assert unbalanced_tags(page) == []
