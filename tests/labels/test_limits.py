"""Thresholds from people's answers take the place of the fixed ones, class by class; without them nothing changes."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from tests.labels.merging import NOT_REVIEWED, Corpus, Merged, audio_classes, corpus_of, merge, merge_params
from xmodal_kedro.datasets.fingerprint import fingerprint
from xmodal_kedro.errors import UserError
from xmodal_kedro.labels.class_map import ClassMap
from xmodal_kedro.labels.limits import lowered, score_limits
from xmodal_kedro.labels.plan import MergePlan
from xmodal_kedro.params import MergeParams
from xmodal_kedro.schemas import ClassThresholds, DroppedClasses

CLIPS = [(f"c{number}", f"v{number}") for number in range(6)]
SCORES = (0.2, 0.35, 0.5, 0.65, 0.8, 0.95)


def corpus(**names: str) -> Corpus:
    """Each clip has one label of each teacher, of rising scores."""
    labels = {
        modality: [(clip, names[modality], score) for (clip, _), score in zip(CLIPS, SCORES, strict=True)]
        for modality in names
    }
    return corpus_of(
        {"shard-all": CLIPS}, {"shard-all": labels.get("visual", [])}, {"shard-all": labels.get("audio", [])}
    )


def thresholds(*rows: tuple[str, str, float], wanted: float = 0.9) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["name", "modality", "threshold"]).astype({"threshold": "float64"})
    return table.assign(wanted=wanted, precision=0.95, low=0.91, answered=40, missing=np.nan)


def merged(reviewed: pd.DataFrame, labels: Corpus | None = None, **changes: object) -> Merged:
    params = merge_params(**({"precision": 0.9} | changes))
    return merge(corpus(audio="Rain") if labels is None else labels, params, reviewed=reviewed)


def clips_with(result: Merged, name: str) -> list[str]:
    return [clip for clip, targets in result.named_targets().items() if name in targets]


@pytest.mark.parametrize("threshold", [0.1, 0.2, 0.35, 0.36, 0.5, 0.8])
def test_a_threshold_takes_the_place_of_the_fixed_one(threshold: float) -> None:
    """Also where it is lower; a score that equals it counts."""
    result = merged(thresholds(("Rain", "audio", threshold)))
    assert clips_with(result, "Rain") == [
        clip for (clip, _), score in zip(CLIPS, SCORES, strict=True) if score >= threshold
    ]


def test_a_class_that_was_not_asked_about_keeps_the_fixed_one() -> None:
    assert clips_with(merged(thresholds(("Drum", "audio", 0.9))), "Rain") == ["c1", "c2", "c3", "c4", "c5"]


def test_a_class_without_a_threshold_gives_no_target_of_that_modality() -> None:
    labels = corpus(visual="drum", audio="Drum")
    changes = {"visual_names": "sounds"}
    of_both = merged(thresholds(("Drum", "audio", math.nan), ("Drum", "visual", 0.6)), labels, **changes)
    assert clips_with(of_both, "Drum") == ["c3", "c4", "c5"]
    assert of_both.vocabulary["modality"].tolist() == ["visual"]


def test_a_class_that_loses_all_is_dropped_as_not_precise() -> None:
    labels = corpus(visual="drum", audio="Rain")
    result = merged(thresholds(("Rain", "audio", math.nan)), labels)
    assert "Rain" not in set(result.vocabulary["name"])
    dropped = DroppedClasses.validate(result.dropped).set_index("name")
    assert dropped.loc["Rain", ["clip_count", "target_count", "reason"]].tolist() == [5, 0, "not_precise"]


def test_thresholds_are_reported_with_the_clips_that_are_left() -> None:
    labels = corpus(visual="statue", audio="Rain")
    result = merged(thresholds(("Rain", "audio", 0.75), ("statue", "visual", math.nan)), labels)
    table = ClassThresholds.validate(result.thresholds).set_index(["modality", "name"])
    assert table.loc[("audio", "Rain"), ["clips", "kept_clips", "threshold"]].tolist() == [5, 2, 0.75]
    assert table.loc[("visual", "statue"), ["clips", "kept_clips", "threshold"]].tolist() == [5, 0, 1.0]


def test_top_k_holds_for_labels_that_a_lower_threshold_lets_in() -> None:
    labels = corpus_of(
        {"shard-all": CLIPS[:1]},
        {"shard-all": []},
        {"shard-all": [("c0", "Rain", 0.15), ("c0", "Speech", 0.5), ("c0", "Drum", 0.4)]},
    )
    one = merged(thresholds(("Rain", "audio", 0.1)), labels, audio={"threshold": 0.3, "top_k": 2})
    two = merged(thresholds(("Rain", "audio", 0.1)), labels, audio={"threshold": 0.3, "top_k": 3})
    assert set(one.vocabulary["name"]) == {"Speech", "Drum"}
    assert set(two.vocabulary["name"]) == {"Speech", "Drum", "Rain"}


@pytest.mark.parametrize("rule", ["union", "agreement", "audio_only"])
def test_every_rule_keeps_the_thresholds(rule: str) -> None:
    labels = corpus(visual="drum", audio="Drum")
    result = merged(thresholds(("Drum", "audio", 0.6)), labels, rule=rule, visual_names="sounds")
    audio = ["c3", "c4", "c5"]
    assert clips_with(result, "Drum") == (["c1", "c2", *audio] if rule == "union" else audio)


def test_a_max_rate_holds_beside_a_threshold() -> None:
    audio = {"threshold": 0.3, "top_k": 2, "max_rate": 0.34}
    assert clips_with(merged(thresholds(("Rain", "audio", 0.5)), audio=audio), "Rain") == ["c4", "c5"]
    assert clips_with(merged(thresholds(("Rain", "audio", 0.9)), audio=audio), "Rain") == ["c5"]


def test_without_a_precision_nothing_depends_on_thresholds() -> None:
    reviewed = thresholds(("Rain", "audio", 0.9), ("Drum", "visual", math.nan))
    plain, with_table = (merged(table, precision=None) for table in (NOT_REVIEWED, reviewed))
    assert {key: table.to_pylist() for key, table in plain.tables.items()} == {
        key: table.to_pylist() for key, table in with_table.tables.items()
    }
    assert [fingerprint(job) for job in plain.jobs.values()] == [fingerprint(job) for job in with_table.jobs.values()]


def test_an_identity_without_a_precision_is_that_of_before() -> None:
    assert "precision" not in merge_params().identity()
    assert merge_params(precision=0.9).identity()["precision"] == 0.9


def plan(limits: dict[str, dict[int, float]], params: MergeParams) -> MergePlan:
    result = merge(corpus(audio="Rain"), merge_params())
    classes = ClassMap.of(result.candidates, result.label_classes)
    return MergePlan.before_the_survey(classes, params, limits)


def test_the_survey_depends_on_lower_thresholds_alone() -> None:
    params = merge_params(precision=0.9)
    plain, higher, lower = (
        plan(limits, params) for limits in ({}, {"audio": {0: 0.8, 1: math.inf}}, {"audio": {0: 0.1}})
    )
    assert plain.fingerprint == higher.fingerprint != lower.fingerprint
    assert lowered({"audio": {0: 0.8, 1: 0.2}}, params) == {"audio": {1: 0.2}}


def test_a_precision_without_answers_names_what_to_run() -> None:
    with pytest.raises(
        UserError, match=r"merge_labels\.precision is 0\.9, but .*: run the pipeline review, .*review_results"
    ):
        merged(NOT_REVIEWED)


def test_thresholds_of_a_lower_precision_are_refused() -> None:
    with pytest.raises(UserError, match=r"sought for 0\.8: set review\.precision to at least 0\.9"):
        merged(thresholds(("Rain", "audio", 0.5), wanted=0.8))
    assert clips_with(merged(thresholds(("Rain", "audio", 0.5), wanted=0.95)), "Rain") == ["c2", "c3", "c4", "c5"]


def test_thresholds_of_classes_that_are_gone_are_ignored() -> None:
    result = merge(corpus(audio="Rain"), merge_params())
    classes = ClassMap.of(result.candidates, result.label_classes)
    assert (
        len(audio_classes())
        and score_limits(thresholds(("Unicorn", "audio", 0.5)), classes, merge_params(precision=0.9)) == {}
    )
