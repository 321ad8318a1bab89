from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.labels.merging import AUDIO, VISUAL, Corpus, Merged, corpus_of, merge, merge_params
from xmodal_kedro.labels.accounting import EXAMPLES, STAGES


def reviews(merged: Merged) -> list[dict[str, Any]]:
    return [json.loads(table.schema.metadata[b"review"]) for table in merged.tables.values()]


def review(corpus: Corpus, **changes: object) -> dict[str, Any]:
    (sums,) = reviews(merge(corpus, merge_params(**changes)))
    return sums


@pytest.fixture
def corpus() -> Corpus:
    """Clip `a` agrees, `b` does not, `c` has a silent class, `d` is below the threshold, `e` has no label."""
    return corpus_of(
        {"s": [("a", "v1"), ("b", "v2"), ("c", "v3"), ("d", "v4"), ("e", "v5")]},
        {"s": [("a", "dog", 0.5), ("a", "rain", 0.5), ("b", "drum", 0.9), ("c", "statue", 0.8), ("d", "bell", 0.1)]},
        {"s": [("a", "Dog", 0.5), ("b", "Speech", 0.75)]},
    )


def test_labels_and_clips_are_counted_as_they_pass_the_stages(corpus: Corpus) -> None:
    sums = review(corpus, rule="agreement", drop_silent=True, agreement={"associations": False})
    assert [sums["funnel"]["visual"][stage] for stage in STAGES] == [5, 4, 2, 2, 1, 1, 1]
    assert [sums["funnel"]["audio"][stage] for stage in STAGES] == [2, 2, 2, 2, 1, 1, 1]
    assert [sums["left"][stage] for stage in STAGES] == [4, 3, 2, 2, 1, 1, 1]


def test_agreement_is_reported_under_every_rule(corpus: Corpus) -> None:
    sums = review(corpus, agreement={"associations": False})
    assert (sums["both"], sums["agreeing"]) == (2, 1)
    assert sum(supported for supported, _ in sums["supported"]["visual"].values()) == 1
    assert sum(clips for _, clips in sums["supported"]["visual"].values()) == 4


def test_the_contradiction_of_a_clip_is_the_lower_of_its_best_scores(corpus: Corpus) -> None:
    assert review(corpus, agreement={"associations": False})["contradictory"] == [[0.75, "b"]]


def test_one_modality_alone_agrees_with_nothing(corpus: Corpus) -> None:
    sums = review(corpus, rule="audio_only")
    assert set(sums["funnel"]) == {"audio"}
    assert (sums["both"], sums["agreeing"], sums["supported"], sums["contradictory"]) == (0, 0, {}, [])


def test_entropy_and_best_score_are_of_all_stored_labels(corpus: Corpus) -> None:
    sums = review(corpus)
    assert sums["entropy"]["visual"] == pytest.approx([1.0, 4]), "a is between two classes, the others are sure"
    assert sums["best"]["visual"] == pytest.approx([0.5 + 0.9 + 0.8 + 0.1, 4])


def test_the_contradictory_clips_are_of_different_videos_and_few() -> None:
    clips = [(f"{number:03}", f"v{number // 2}") for number in range(60)]
    visual = [(clip, "drum", 0.4 + number / 200) for number, (clip, _) in enumerate(clips)]
    audio = [(clip, "Speech", 0.9) for clip, _ in clips]
    sums = review(corpus_of({"s": clips}, {"s": visual}, {"s": audio}), agreement={"associations": False})
    video_of = dict(clips)
    shown = [clip for _, clip in sums["contradictory"]]
    assert shown[:2] == ["059", "057"]
    assert len({video_of[clip] for clip in shown}) == len(shown) == EXAMPLES


def test_an_implied_parent_may_be_the_only_target_of_a_clip() -> None:
    corpus = corpus_of({"s": [("a", "v1"), ("b", "v2")]}, {}, {"s": [("a", "Bark", 0.9), ("b", "Dog", 0.9)]})
    sums = review(corpus, parents=True, min_clips=2)
    assert sums["left"]["kept"] == sums["left"]["in_vocabulary"] == 2


LABELS = st.dictionaries(st.sampled_from(VISUAL), st.floats(0.0625, 1, width=32), max_size=4)
SOUNDS = st.dictionaries(st.sampled_from(AUDIO), st.floats(0.0625, 1, width=32), max_size=4)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(LABELS, SOUNDS), min_size=1, max_size=8),
    st.sampled_from(["union", "agreement"]),
    st.booleans(),
    st.booleans(),
)
def test_clips_are_only_lost_and_those_left_have_a_target(
    labels_of_clips: list[tuple[dict[str, float], dict[str, float]]], rule: str, parents: bool, drop_silent: bool
) -> None:
    clips = [(f"c{number}", f"v{number}") for number in range(len(labels_of_clips))]
    visual, audio = (
        [
            (f"c{number}", label, score)
            for number, labels in enumerate(labels_of_clips)
            for label, score in labels[side].items()
        ]
        for side in (0, 1)
    )
    corpus = corpus_of({"s": clips}, {"s": visual}, {"s": audio})
    try:
        merged = merge(corpus, merge_params(rule=rule, parents=parents, drop_silent=drop_silent))
    except ValueError as error:
        assert "no class is left" in str(error)
        return
    (sums,) = reviews(merged)
    left = [sums["left"][stage] for stage in STAGES]
    assert all(before >= after for before, after in pairwise([len(clips), *left]))
    assert left[-1] == int(merged.tables["s"].schema.metadata[b"targeted"])
