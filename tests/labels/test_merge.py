"""Merging labels: the targets of a clip under each rule."""

import numpy as np
import pytest

from tests.labels.merging import Corpus, corpus_of, is_still, merge, merge_params
from xmodal_kedro.schemas import LABELS_ARROW


def test_each_clip_has_one_row_in_the_order_of_the_clips(corpus: Corpus) -> None:
    merged = merge(corpus, merge_params())
    assert merged.vocabulary["name"].tolist() == ["Drum", "statue"]
    rows = merged.tables["s"].select(["clip_id", "video_id", "targets", "weights"]).to_pylist()
    assert rows == [
        {"clip_id": "b", "video_id": "v1", "targets": [0], "weights": [1.0]},
        {"clip_id": "a", "video_id": "v1", "targets": [0, 1], "weights": [1.0, 1.0]},
        {"clip_id": "c", "video_id": "v2", "targets": [], "weights": []},
    ]
    assert merged.tables["s"].schema.remove_metadata() == LABELS_ARROW
    metadata = merged.tables["s"].schema.metadata
    assert (metadata[b"clips"], metadata[b"targeted"]) == (b"3", b"2")


def test_soft_targets_weigh_by_the_better_of_the_two_scores(corpus: Corpus) -> None:
    tables = merge(corpus, merge_params(targets="soft")).tables
    np.testing.assert_allclose(tables["s"]["weights"].to_pylist()[1], [0.8, 0.4])


def test_classes_outside_the_vocabulary_are_no_targets(corpus: Corpus) -> None:
    tables = merge(corpus, merge_params(min_clips=2)).tables
    assert tables["s"]["targets"].to_pylist() == [[0], [0], []]


def test_an_ablation_takes_targets_from_one_teacher(corpus: Corpus) -> None:
    assert merge(corpus, merge_params(rule="audio_only")).named_targets() == {"a": {"Drum": 1}, "b": {}, "c": {}}
    visual = merge(corpus, merge_params(rule="visual_only")).named_targets()
    assert visual == {"a": {"Drum": 1, "statue": 1}, "b": {"Drum": 1}, "c": {}}


def test_classes_that_make_no_sound_can_be_left_out(corpus: Corpus) -> None:
    merged = merge(corpus, merge_params(drop_silent=True))
    assert merged.vocabulary["name"].tolist() == ["Drum"]
    assert merged.dropped[["name", "reason"]].values.tolist() == [["statue", "silent"]]


def test_visual_classes_can_go_by_the_sounds_they_make() -> None:
    corpus = corpus_of({"s": [("a", "v"), ("b", "w")]}, {"s": [("a", "puppy", 0.7), ("b", "dog", 0.6)]}, {})
    own, sounds = (merge(corpus, merge_params(visual_names=names)) for names in ("own", "sounds"))
    assert own.vocabulary["name"].tolist() == ["Dog", "puppy"]
    assert sounds.vocabulary[["name", "clip_count", "audioset_id", "parents"]].values.tolist() == [
        ["Dog", 2, "/m/dog", "/m/animal"]
    ]


def test_agreement_keeps_what_the_other_modality_supports() -> None:
    corpus = corpus_of(
        {"s": [("same", "1"), ("child", "2"), ("none", "3"), ("seen", "4")]},
        {"s": [("same", "puppy", 0.9), ("child", "dog", 0.9), ("none", "drum", 0.9), ("seen", "dog", 0.9)]},
        {"s": [("same", "Dog", 0.9), ("same", "Speech", 0.9), ("child", "Bark", 0.9), ("none", "Rain", 0.9)]},
    )
    merged = merge(corpus, merge_params(rule="agreement", visual_names="sounds"))
    assert merged.named_targets() == {"same": {"Dog": 1}, "child": {"Bark": 1, "Dog": 1}, "none": {}, "seen": {}}
    without = merge(corpus, merge_params(rule="agreement", visual_names="sounds", agreement={"ancestors": False}))
    assert without.named_targets()["child"] == {}


def test_agreement_learns_associations_from_many_videos() -> None:
    videos = [str(number) for number in range(12)]
    statues = [(video, "statue", 0.9) for video in videos[:6]]
    rains = [(video, "rain", 0.9) for video in videos[6:]]
    sounds = [(video, "Speech" if number < 6 else "Bell", 0.9) for number, video in enumerate(videos)]
    corpus = corpus_of({"s": [(video, video) for video in videos]}, {"s": statues + rains}, {"s": sounds})
    params = {"rule": "agreement", "agreement": {"min_videos": 6, "min_pmi": 1.0}}
    learnt = merge(corpus, merge_params(**params)).named_targets()
    assert learnt["0"] == {"statue": 1, "Speech": 1}
    assert merge(corpus, merge_params(**params, drop_silent=True)).named_targets()["0"] == {"Speech": 1}
    one_video = corpus_of({"s": [(video, "one") for video in videos]}, {"s": statues + rains}, {"s": sounds})
    with pytest.raises(ValueError, match="no class is left.*set another rule than agreement"):
        merge(one_video, merge_params(**params))


def test_parents_are_implied_by_children() -> None:
    corpus = corpus_of({"s": [("a", "v")]}, {}, {"s": [("a", "Bark", 0.5), ("a", "Dog", 0.8)]})
    merged = merge(corpus, merge_params(parents=True, targets="soft"))
    assert merged.named_targets()["a"] == pytest.approx({"Bark": 0.5, "Dog": 0.8, "Animal": 0.8})


def test_what_is_only_seen_on_a_still_picture_can_be_left_out() -> None:
    stills = [name for name in map(str, range(20)) if is_still(name)]
    moving = next(name for name in map(str, range(20)) if not is_still(name))
    corpus = corpus_of(
        {"s": [("only seen", stills[0]), ("heard too", stills[1]), ("moves", moving)]},
        {"s": [("only seen", "drum", 0.9), ("heard too", "dog", 0.9), ("moves", "drum", 0.9)]},
        {"s": [("only seen", "Rain", 0.9), ("heard too", "Bark", 0.9)]},
    )
    kept = merge(corpus, merge_params(drop_seen_on_stills=True))
    assert kept.named_targets() == {
        "only seen": {"Rain": 1},
        "heard too": {"Dog": 1, "Bark": 1},
        "moves": {"Drum": 1},
    }
    assert "Drum" in merge(corpus, merge_params()).named_targets()["only seen"]
    assert kept.vocabulary.set_index("name").loc["Drum", "clip_count"] == 1
    assert kept.dropped.empty
    at_least_two = merge_params(min_clips=2, drop_seen_on_stills=True, rule="visual_only")
    twice = corpus_of(
        {"s": [("a", stills[0]), ("b", stills[1]), ("c", moving), ("d", moving)]},
        {"s": [(clip, name, 0.9) for clip, name in (("a", "drum"), ("b", "drum"), ("c", "dog"), ("d", "dog"))]},
        {"s": []},
    )
    for rate, reason in ((None, "only_on_stills"), (1.0, "over_rate_or_on_stills")):
        visual = at_least_two.visual.model_copy(update={"max_rate": rate})
        dropped = merge(twice, at_least_two.model_copy(update={"visual": visual})).dropped
        assert dropped[["name", "clip_count", "target_count", "reason"]].values.tolist() == [["Drum", 2, 0, reason]]
    heard_by_none = merge(corpus, merge_params(rule="visual_only", drop_seen_on_stills=True)).named_targets()
    assert heard_by_none == {"only seen": {}, "heard too": {}, "moves": {"Drum": 1}}


def test_stills_count_towards_the_identity_of_a_plan_only_where_they_are_left_out(corpus: Corpus) -> None:
    plain, dropping = merge_params(), merge_params(drop_seen_on_stills=True)
    assert plain.identity() == merge_params(drop_seen_on_stills=False).identity() != dropping.identity()
    jobs = [merge(corpus, params).jobs["s"] for params in (plain, dropping)]
    assert jobs[0].args[3].fingerprint != jobs[1].args[3].fingerprint
    agreeing = [merge_params(rule="agreement", drop_seen_on_stills=drop) for drop in (False, True)]
    plans = [merge(corpus, params).jobs["s"].args[3] for params in agreeing]
    assert plans[0].fingerprint == plans[1].fingerprint
