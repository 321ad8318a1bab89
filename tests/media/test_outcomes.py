"""What became of the sources, as text and as a plot."""

from __future__ import annotations

import pandas as pd

from xmodal_kedro.media.outcomes import LABELS, count_outcomes, describe_count, plot_outcomes
from xmodal_kedro.reasons import REASONS

VIDEOS = pd.DataFrame({"video_id": list("abcdefg")})
REJECTED = pd.DataFrame({"uri": list("xyz"), "reason": ["not_media", "not_media", "no_audio"], "detail": ""})
UNCLIPPED = pd.DataFrame({"video_id": ["a"], "uri": ["a"], "reason": ["too_short"], "detail": [""]})
CUT_SHORT = pd.DataFrame({"video_id": ["b"], "uri": ["b"], "reason": ["timed_out"], "detail": [""]})
TABLES = VIDEOS, REJECTED, UNCLIPPED, CUT_SHORT


def test_every_reason_has_words_of_its_own_for_people() -> None:
    assert LABELS.keys() == REASONS.keys()
    assert len(set(LABELS.values())) == len(LABELS)
    assert not any("_" in label for label in LABELS.values())


def test_every_source_is_counted_once() -> None:
    outcomes = count_outcomes(*TABLES)

    assert [(outcome.name, outcome.count) for outcome in outcomes] == [
        ("Used to the end", 5),
        ("Used in part: decoding took too long", 1),
        ("No clip: too short", 1),
        ("Rejected: neither audio nor video", 2),
        ("Rejected: no audio stream", 1),
    ]
    assert sum(outcome.count for outcome in outcomes) == len(VIDEOS) + len(REJECTED)


def test_the_picture_shows_what_is_counted_and_in_that_order() -> None:
    figure = plot_outcomes(*TABLES)

    bars = {name: count for bar in figure.data for name, count in zip(bar.y, bar.x, strict=True)}
    assert bars == {outcome.name: outcome.count for outcome in count_outcomes(*TABLES)}
    assert list(figure.layout.yaxis.categoryarray)[::-1] == list(bars)
    assert figure.layout.title.text == "10 sources: 5 used to the end, 1 in part"


def test_counts_name_their_reasons_most_frequent_first() -> None:
    assert describe_count(REJECTED, "rejected") == "3 rejected (2 not_media, 1 no_audio)"
    assert describe_count(REJECTED.iloc[:0], "rejected") == "0 rejected"
