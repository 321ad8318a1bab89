"""Precision, recall and their kin are those of the textbooks, and of labels worked out by hand."""

from __future__ import annotations

import math
from collections import defaultdict

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, precision_recall_fscore_support

from tests.labels.check.small_corpus import PARAMS, clip_truth, label_shard, meaning, target_shard
from xmodal_kedro.labels.check.quality import measure
from xmodal_kedro.labels.check.statements import collect_statements
from xmodal_kedro.schemas import LabelQuality

NAMES = ["Dog", "Cat", "Rain"]
VOCABULARY = pd.DataFrame({"index": [0, 1, 2], "name": ["Dog", "Rain", "vase"]})

TRUTH = clip_truth({"a": "Dog", "b": "Dog|Rain", "c": "", "d": None}, seen={"a": "pug", "b": "Dog", "c": ""})
VISUAL = label_shard(
    [
        *[("a", "beagle", 0.6), ("a", "pug", 0.4), ("b", "vase", 0.5), ("b", "pug", 0.2)],
        *[("c", "tabby", 0.9), ("d", "pug", 1.0)],
    ]
)
AUDIO = label_shard(
    [
        *[("a", "Animal", 0.9), ("a", "Dog", 0.8), ("b", "Bark", 0.7), ("b", "Dog", 0.2)],
        *[("c", "Rain", 0.4), ("d", "Cat", 0.9)],
    ]
)
TARGETS = target_shard({"a": [0, 2], "b": [1], "c": [], "d": [0]})


def quality(truth: pd.DataFrame = TRUTH, visual=VISUAL, audio=AUDIO, targets=TARGETS) -> pd.DataFrame:
    shards = ({key: shard} for key, shard in zip(["shard-all"] * 3, (visual, audio, targets), strict=True))
    known = meaning()
    return measure(collect_statements(truth, *shards, VOCABULARY, known, PARAMS), known)


def row(table: pd.DataFrame, labels: str, against: str, match: str = "exact", name: str = "", average: str = "micro"):
    average = "class" if name else average
    wanted = {"labels": labels, "against": against, "match": match, "name": name, "average": average}
    found = table[(table[list(wanted)] == pd.Series(wanted)).all(axis=1)]
    assert len(found) == 1
    return found.iloc[0]


def test_the_table_holds_to_its_schema_whatever_is_known() -> None:
    LabelQuality.validate(quality())
    nothing = clip_truth({"a": "", "b": ""})
    LabelQuality.validate(quality(nothing))
    assert set(quality(nothing)["against"]) == {"heard"}


def test_labels_by_ear_are_held_against_what_is_heard() -> None:
    table = quality()
    micro = row(table, "audio", "heard")
    assert (micro["clips"], micro["labelled"]) == (2, 4)
    assert (micro["top1"], micro["top5"], micro["hit"]) == (0, 1, 0.5)
    assert (micro["precision"], micro["recall"]) == (1 / 4, 1 / 3)
    dog = row(table, "audio", "heard", name="Dog")
    assert (dog["clips"], dog["labelled"], dog["precision"], dog["recall"]) == (2, 1, 1, 0.5)
    assert dog["audioset_id"] == "/m/dog"
    rain = row(table, "audio", "heard", name="Rain")
    assert (rain["precision"], rain["recall"], rain["f1"]) == (0, 0, 0)


def test_what_stands_above_or_below_is_right_in_the_branch() -> None:
    table = quality()
    micro = row(table, "audio", "heard", "branch")
    assert (micro["top1"], micro["hit"], micro["precision"], micro["recall"]) == (1, 1, 3 / 4, 2 / 3)
    assert row(table, "audio", "heard", "branch", "Animal")["precision"] == 1
    assert math.isnan(row(table, "audio", "heard", "branch", "Animal")["recall"])


def test_labels_by_sight_are_held_against_both() -> None:
    table = quality()
    heard, seen = row(table, "visual", "heard"), row(table, "visual", "seen")
    assert (heard["top1"], heard["top5"], heard["hit"], heard["precision"]) == (0.5, 1, 0.5, 1 / 3)
    assert (seen["top1"], seen["top5"], seen["hit"]) == (0, 1, 0.5)
    assert row(table, "visual", "seen", name="pug")["recall"] == 1


def test_a_target_for_what_makes_no_sound_is_wrong() -> None:
    table = quality()
    target = row(table, "target", "heard")
    assert (target["labelled"], target["precision"], target["recall"], target["hit"]) == (3, 2 / 3, 2 / 3, 1)
    assert row(table, "target", "heard", name="vase")["precision"] == 0
    assert math.isnan(target["top1"])


clips = st.lists(
    st.tuples(
        st.sets(st.sampled_from(NAMES)),
        st.dictionaries(st.sampled_from(NAMES), st.floats(0.01, 1).map(lambda score: round(score, 2))),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=20)
@given(clips)
def test_figures_are_those_of_scikit_learn(drawn: list[tuple[set[str], dict[str, float]]]) -> None:
    heard: dict[str, str | None] = {f"{at:02d}": "|".join(sorted(true)) for at, (true, _) in enumerate(drawn)}
    rows = [
        (f"{at:02d}", name, score)
        for at, (_, said) in enumerate(drawn)
        for name, score in sorted(said.items(), key=lambda pair: -pair[1])
    ]
    table = quality(clip_truth(heard), audio=label_shard(rows), targets=target_shard({}), visual=label_shard([]))
    LabelQuality.validate(table)
    for name in NAMES:
        truth = [name in true for true, _ in drawn]
        scores = [said.get(name, 0) for _, said in drawn]
        stated = [score >= PARAMS.audio.threshold for score in scores]
        if not any(truth):
            continue
        found = row(table, "audio", "heard", name=name)
        expected = precision_recall_fscore_support(truth, stated, average="binary", zero_division=0)
        assert [0 if math.isnan(found[x]) else found[x] for x in ("precision", "recall", "f1")] == pytest.approx(
            list(expected[:3])
        )
        assert found["average_precision"] == pytest.approx(average_precision_score(truth, scores))


@settings(max_examples=20)
@given(clips)
def test_the_branch_is_never_stricter_than_the_class(drawn: list[tuple[set[str], dict[str, float]]]) -> None:
    heard: dict[str, str | None] = {f"{at:02d}": "|".join(sorted(true)) for at, (true, _) in enumerate(drawn)}
    said = defaultdict(list)
    for at, (_, scores) in enumerate(drawn):
        said["rows"] += [(f"{at:02d}", "Bark" if name == "Dog" else name, score) for name, score in scores.items()]
    table = quality(
        clip_truth(heard), audio=label_shard(said["rows"]), targets=target_shard({}), visual=label_shard([])
    )
    exact, branch = (row(table, "audio", "heard", match).fillna(0.0) for match in ("exact", "branch"))
    assert all(branch[rate] >= exact[rate] for rate in ("precision", "recall", "hit", "top1", "top5"))


def test_a_shard_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match="visual_labels lacks the shard 'shard-9'"):
        quality(clip_truth({"a": "Dog"}, shard="shard-9"))
