import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reports.labels import world
from xmodal_kedro.labels.summary import CLIPS_SHOWN, add, labelled, mean, summarise

COUNTS = st.dictionaries(st.sampled_from("abc"), st.lists(st.integers(0, 9), min_size=2, max_size=2))


def test_the_shards_add_up() -> None:
    summary = world.summary()
    assert (summary["clips"], summary["targeted"]) == (4, 3)
    assert summary["funnel"]["visual"]["stored"] == 4
    assert summary["left"]["kept"] == 3
    assert (summary["both"], summary["agreeing"]) == (2, 1)
    assert summary["best"]["audio"] == pytest.approx([2.3, 3])
    assert summary["supported"] == {"visual": {"3": [1, 1], "2": [0, 1]}, "audio": {"0": [1, 1], "1": [0, 2]}}
    assert [labelled(summary, modality) for modality in ("visual", "audio")] == [3, 3]


def test_it_is_json_and_the_order_of_shards_does_not_matter() -> None:
    backwards = summarise(world.labels("ba"), world.visual_labels(), world.audio_labels())
    assert json.loads(json.dumps(backwards)) == json.loads(json.dumps(world.summary()))


def test_clips_to_show_know_their_shard_in_the_order_of_what_they_were_picked_by() -> None:
    summary = world.summary()
    assert [tuple(clip) for clip in summary["random"]] == [
        (0.1, "b-1", "b"),
        (0.4, "a-1", "a"),
        (0.7, "b-0", "b"),
        (0.9, "a-0", "a"),
    ]
    assert [tuple(clip) for clip in summary["contradictory"]] == [(0.6, "a-1", "a")], "a-0 contradicts nothing"


def test_of_many_clips_the_smallest_draws_and_the_largest_contradictions_are_shown() -> None:
    shards = {}
    for key in ("x", "y"):
        values = [[at / 100 + (key == "y") / 1000, f"{key}-{at:02}"] for at in range(1, 20)]
        review = {**world.REVIEWS["a"], "random": values, "contradictory": values}
        shards[key] = world._labels_shard([], review)
    summary = summarise(shards, {}, {})
    assert [clip_id for _, clip_id, _ in summary["random"]][:3] == ["x-01", "y-01", "x-02"]
    assert [clip_id for _, clip_id, _ in summary["contradictory"]][:3] == ["y-19", "x-19", "y-18"]
    assert len(summary["random"]) == len(summary["contradictory"]) == CLIPS_SHOWN


@given(COUNTS, COUNTS, COUNTS)
def test_adding_keeps_every_key_and_does_not_care_about_order(
    a: dict[str, list[int]], b: dict[str, list[int]], c: dict[str, list[int]]
) -> None:
    def plus(one: Any, other: Any) -> Any:
        return add(deepcopy(one), deepcopy(other))

    assert plus(a, plus(b, c)) == plus(plus(a, b), c) == plus(c, plus(b, a))
    assert plus(a, b).keys() == a.keys() | b.keys()
    assert sum(sum(pair) for pair in plus(a, b).values()) == sum(sum(pair) for pair in [*a.values(), *b.values()])


def test_a_mean_of_nothing_is_none() -> None:
    assert mean([3.0, 2]) == 1.5
    assert mean([0.0, 0]) is None
