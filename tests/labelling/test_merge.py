import json
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes import MemoryShard
from tests.labelling.fixtures import labels_shard
from tests.labelling.merging import (
    AUDIO,
    VISUAL,
    Corpus,
    Merged,
    PlainMerge,
    audio_classes,
    clips_of,
    corpus_of,
    merge,
    merge_params,
    near_duplicates,
    ontology,
    visual_classes,
)
from xmodal_kedro.datasets.fingerprint import fingerprint
from xmodal_kedro.labelling.class_map import ClassMap
from xmodal_kedro.labelling.counts import LabelCounter
from xmodal_kedro.labelling.match import match_classes
from xmodal_kedro.labelling.merge import split_of
from xmodal_kedro.labelling.selection import ShardClips
from xmodal_kedro.labelling.vocabulary import build_vocabulary
from xmodal_kedro.pipelines.merge_labels import nodes
from xmodal_kedro.schemas import (
    LABELS_ARROW,
    CandidateClasses,
    ClassAssociations,
    ClassThresholds,
    DroppedClasses,
    LabelClasses,
    Labels,
    LabelVocabulary,
)
from xmodal_kedro.sharding import spread


@pytest.fixture
def corpus() -> Corpus:
    return corpus_of(
        {"s": [("b", "v1"), ("a", "v1"), ("c", "v2")]},
        {"s": [("a", "drum", 0.5), ("a", "statue", 0.4), ("b", "drum", 0.6)]},
        {"s": [("a", "Drum", 0.8)]},
    )


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
    seen = merge(corpus, merge_params(rule="visual_only")).named_targets()
    assert seen == {"a": {"Drum": 1, "statue": 1}, "b": {"Drum": 1}, "c": {}}


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


def test_agreement_learns_what_belongs_together_from_many_videos() -> None:
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


def crowd(clips: int, score: float = 1.0) -> Corpus:
    """Clips of which every one is called speech, and every tenth rain."""
    names = [f"{number:032x}-00000000" for number in range(clips)]
    heard = [(name, "Speech", score) for name in names] + [(name, "Rain", score) for name in names[::10]]
    return corpus_of({"s": [(name, name[:32]) for name in names]}, {}, {"s": heard})


def test_a_rate_keeps_a_class_from_flooding_even_where_all_its_scores_are_equal() -> None:
    merged = merge(crowd(400), merge_params(audio={"threshold": 0.3, "top_k": 2, "max_rate": 0.2}))
    counts = merged.vocabulary.set_index("name")["clip_count"]
    assert 60 <= counts["Speech"] <= 80
    assert counts["Rain"] == 40
    limited = merged.thresholds.set_index("name")
    assert limited.loc["Speech", ["clips", "kept_clips"]].tolist() == [400, counts["Speech"]]
    assert limited.loc["Rain", "cut"] == 0


def test_a_rate_keeps_the_best_scores() -> None:
    names = [f"{number:032x}" for number in range(100)]
    heard = [(name, "Speech", 0.3 + number * 0.007) for number, name in enumerate(names)]
    corpus = corpus_of({"s": [(name, name) for name in names]}, {}, {"s": heard})
    merged = merge(corpus, merge_params(audio={"threshold": 0.3, "top_k": 2, "max_rate": 0.25}))
    kept = [name for name, targets in merged.named_targets().items() if targets]
    assert kept == names[-len(kept) :]
    assert 22 <= len(kept) <= 25


def test_a_cap_keeps_an_even_draw_of_frequent_classes_and_all_of_rare_ones() -> None:
    merged = merge(crowd(600), merge_params(max_clips=90))
    counts = merged.vocabulary.set_index("name")["clip_count"]
    assert (counts["Rain"], counts["Speech"] <= 90, counts["Speech"] > 80) == (60, True, True)
    assert sum("Speech" in targets for targets in merged.named_targets().values()) == counts["Speech"]


def test_capped_classes_lose_the_same_clips() -> None:
    names = [f"{number:032x}" for number in range(300)]
    heard = [(name, label, 0.9) for name in names for label in ("Speech", "Rain")]
    merged = merge(corpus_of({"s": [(name, name) for name in names]}, {}, {"s": heard}), merge_params(max_clips=50))
    assert {len(targets) for targets in merged.named_targets().values()} == {0, 2}


@pytest.mark.parametrize("missing", ["clips", "visual", "audio"])
def test_shards_that_do_not_pair_up_are_refused_by_name(corpus: Corpus, missing: str) -> None:
    corpus[missing] = {}
    name = missing if missing == "clips" else f"{missing}_labels"
    with pytest.raises(ValueError, match=rf"^{name} lacks 1 shard.*'s'.*run the pipeline that makes {name}"):
        merge(corpus, merge_params())


def test_a_dataset_of_another_run_is_named(corpus: Corpus) -> None:
    corpus["visual"] = {"other": corpus["visual"]["s"]}
    with pytest.raises(ValueError, match=r"^visual_labels has 1 shard\(s\) that no other has, such as 'other'"):
        merge(corpus, merge_params())


def test_a_label_of_an_unknown_clip_is_refused(corpus: Corpus) -> None:
    corpus["clips"] = {"s": clips_of([("a", "v1"), ("c", "v2"), ("d", "v2")])}
    with pytest.raises(ValueError, match=r"visual_labels s: clip b \(and 0 more\) is not in its shard of clips"):
        merge(corpus, merge_params())


@pytest.mark.parametrize("score", [float("nan"), -0.1, 1.5])
def test_a_score_that_is_no_share_is_refused_by_clip(corpus: Corpus, score: float) -> None:
    corpus["audio"] = {"s": labels_shard([("a", "Drum", score)], clips=3)}
    with pytest.raises(ValueError, match=r"audio_labels s: the score of clip a for Drum is .*, not 0\.\.1"):
        merge(corpus, merge_params())


def test_a_label_that_is_no_class_of_the_teacher_is_refused(corpus: Corpus) -> None:
    corpus["audio"] = {"s": labels_shard([("a", "Trumpet", 0.5)], clips=3)}
    with pytest.raises(ValueError, match="audio_labels hold 'Trumpet', which is not in audio_classes"):
        merge(corpus, merge_params())


def test_labels_of_another_number_of_clips_are_refused(corpus: Corpus) -> None:
    corpus["audio"] = {"s": labels_shard([("a", "Drum", 0.5)], clips=4)}
    with pytest.raises(ValueError, match="audio_labels s are of 4 clips, their shard has 3"):
        merge(corpus, merge_params())


def test_labels_whose_sum_is_wrong_are_refused(corpus: Corpus) -> None:
    table = labels_shard([("a", "Drum", 0.5)], clips=3)()
    wrong = table.replace_schema_metadata({"clips": "3", "unlabelled": '{"below_min_score": 1, "no_picture": 0}'})
    corpus["audio"] = {"s": MemoryShard(wrong)}
    with pytest.raises(ValueError, match="audio_labels s: 1 labelled clips and .* are not 3"):
        merge(corpus, merge_params())


def test_an_empty_vocabulary_names_what_to_change(corpus: Corpus) -> None:
    complaint = r"no class is left.*3 clips = 2 labelled \+ 1 unlabelled.*'Drum' in 2 clips.*lower merge_labels.visual"
    with pytest.raises(ValueError, match=complaint):
        merge(corpus, merge_params(min_clips=99))


def test_a_changed_count_alone_does_not_change_a_shards_fingerprint(corpus: Corpus) -> None:
    more = {name: dict(shards) for name, shards in corpus.items()}
    more["clips"]["t"] = clips_of([("d", "v3")])
    more["visual"]["t"] = labels_shard([("d", "drum", 0.9)], clips=1)
    more["audio"]["t"] = labels_shard([("d", "Drum", 0.9)], clips=1)
    new = corpus_of({"t": [("e", "v4")]}, {"t": [("e", "bell", 0.9)]}, {})
    newer = {name: {**more[name], **new[name]} for name in more}

    def of(corpus: Corpus) -> str:
        return fingerprint(merge(corpus, merge_params()).jobs["s"])

    assert of(corpus) == of(more)
    assert of(corpus) != of(newer)


def test_about_the_wanted_share_of_videos_is_held_out() -> None:
    videos = [f"{number:032x}" for number in range(4000)]
    held_out = [split_of(video, 0.15) == "validation" for video in videos]
    assert abs(np.mean(held_out) - 0.15) < 0.02
    assert all(split_of(video, 0.3) == "validation" for video, out in zip(videos, held_out, strict=True) if out)


def hex_id(number: int) -> str:
    return f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}".ljust(32, "0")


def dogs(videos: list[str], bound: float) -> Corpus:
    """One clip a video, each labelled, in shards as `clip` makes them."""
    shards = spread(dict.fromkeys(videos, 1.0), bound)
    labels = {key: [(video, "dog", 0.9) for video in members] for key, members in shards.items()}
    return corpus_of({key: [(video, video) for video in members] for key, members in shards.items()}, labels, {})


@settings(deadline=None, max_examples=10)
@given(groups=st.lists(st.integers(0, 6), min_size=2, max_size=12), bound=st.sampled_from([1.0, 4.0, 100.0]))
def test_near_duplicates_fall_on_one_side_and_other_videos_keep_theirs(groups: list[int], bound: float) -> None:
    videos = [hex_id(number) for number in range(len(groups))]
    together = {group: [v for v, g in zip(videos, groups, strict=True) if g == group] for group in set(groups)}
    found = near_duplicates({v: min(held) for held in together.values() if len(held) > 1 for v in held})
    corpus, params = dogs(videos, bound), merge_params(validation_fraction=0.5)
    side, side_before = (
        {
            row["video_id"]: row["split"]
            for table in merge(corpus, params, known).tables.values()
            for row in table.to_pylist()
        }
        for known in (found, near_duplicates({}))
    )
    for held in together.values():
        assert len({side[video] for video in held}) == 1
        if len(held) == 1:
            assert side[held[0]] == side_before[held[0]]


def test_without_their_group_near_duplicates_would_be_parted() -> None:
    assert len({split_of(hex_id(number), 0.5) for number in range(24)}) == 2


def test_a_new_group_elsewhere_leaves_a_label_shard_as_it_is() -> None:
    corpus, params = dogs([hex_id(number) for number in range(16)], 4.0), merge_params()
    (key, shard), *_ = corpus["clips"].items()
    pair = sorted(shard()["video_id"].to_pylist())[:2]

    def marks(found: pd.DataFrame) -> dict[str, str]:
        return {name: fingerprint(job) for name, job in merge(corpus, params, found).jobs.items()}

    before, after = marks(near_duplicates({})), marks(near_duplicates(dict.fromkeys(pair, pair[0])))
    assert {name for name in before if before[name] != after[name]} == {key}


SCORES = st.sampled_from([0.1, 0.3, 0.5, 0.9, 1.0]) | st.floats(0, 1, width=32)


@st.composite
def corpora(draw: st.DrawFn) -> Corpus:
    clips: dict[str, list[tuple[str, str]]] = {}
    labels: dict[str, dict[str, list[tuple[str, str, float]]]] = {"visual": {}, "audio": {}}
    for shard in range(draw(st.integers(1, 3))):
        key = f"shard-{shard:05b}"
        ids = [f"{shard}-{clip}" for clip in range(draw(st.integers(0, 6)))]
        clips[key] = [(clip_id, f"video {shard} {draw(st.integers(0, 3))}") for clip_id in ids]
        for modality, names in (("visual", VISUAL), ("audio", AUDIO)):
            found = draw(st.sets(st.tuples(st.sampled_from(ids), st.sampled_from(names)))) if ids else set()
            labels[modality][key] = [(*pair, draw(SCORES)) for pair in sorted(found)]
    return corpus_of(clips, labels["visual"], labels["audio"])


@st.composite
def all_params(draw: st.DrawFn) -> Any:
    teacher = st.fixed_dictionaries(
        {
            "threshold": st.sampled_from([0.0, 0.3, 0.6]),
            "top_k": st.integers(1, 4),
            "max_rate": st.sampled_from([None, None, 0.2, 0.5]),
        }
    )
    return merge_params(
        rule=draw(st.sampled_from(["union", "agreement", "visual_only", "audio_only"])),
        visual=draw(teacher),
        audio=draw(teacher),
        agreement={
            "ancestors": draw(st.booleans()),
            "associations": draw(st.booleans()),
            "min_pmi": draw(st.sampled_from([0.1, 1.0])),
            "min_videos": draw(st.integers(1, 2)),
        },
        visual_names=draw(st.sampled_from(["own", "sounds"])),
        drop_silent=draw(st.booleans()),
        parents=draw(st.booleans()),
        targets=draw(st.sampled_from(["hard", "soft"])),
        min_clips=draw(st.integers(1, 2)),
        validation_fraction=0.5,
    )


@settings(deadline=None, max_examples=80)
@given(corpus=corpora(), params=all_params())
def test_merging_obeys_its_laws_and_does_what_plain_loops_do(corpus: Corpus, params: Any) -> None:
    try:
        merged = merge(corpus, params)
    except ValueError as error:
        assert "no class is left" in str(error)
        return
    require_laws(merged, corpus, params)
    plain = PlainMerge(corpus, merged, params).targets()
    frequent = {
        name for name, count in Counter(n for t in plain.values() for n in t).items() if count >= params.min_clips
    }
    expected = {
        clip: {name: score if params.targets == "soft" else 1.0 for name, score in targets.items() if name in frequent}
        for clip, targets in plain.items()
    }
    assert merged.named_targets() == expected
    backwards: Any = {name: dict(reversed(shards.items())) for name, shards in corpus.items()}
    again = merge(backwards, params)
    pd.testing.assert_frame_equal(merged.vocabulary, again.vocabulary)
    assert all(merged.tables[key].equals(again.tables[key], check_metadata=True) for key in merged.tables)


def require_laws(merged: Merged, corpus: Corpus, params: Any) -> None:
    for schema, table in (
        (CandidateClasses, merged.candidates),
        (LabelClasses, merged.label_classes),
        (ClassThresholds, merged.thresholds),
        (ClassAssociations, merged.associations),
        (LabelVocabulary, merged.vocabulary),
        (DroppedClasses, merged.dropped),
    ):
        schema.validate(table)
    sides: dict[str, set[str]] = {}
    counts = np.zeros(len(merged.vocabulary), int)
    for key, load in corpus["clips"].items():
        frame = merged.tables[key].to_pandas()
        Labels.validate(frame)
        assert frame["clip_id"].tolist() == load()["clip_id"].to_pylist()
        for row in frame.itertuples():
            sides.setdefault(row.video_id, set()).add(row.split)
            assert list(row.targets) == sorted(set(row.targets))
            assert all(0 <= weight <= 1 for weight in row.weights)
            counts[row.targets] += 1
        review = json.loads(merged.tables[key].schema.metadata[b"review"])
        for funnel in review["funnel"].values():
            steps = ("stored", "over_threshold")
            later = ("candidate", "under_rate", "agreed", "in_vocabulary", "kept")
            assert funnel[steps[0]] >= funnel[steps[1]]
            assert [funnel[step] for step in later] == sorted((funnel[step] for step in later), reverse=True)
        assert 0 <= review["agreeing"] <= review["both"] <= len(frame)
    assert all(len(side) == 1 for side in sides.values())
    assert counts.tolist() == merged.vocabulary["clip_count"].tolist()
    assert merged.vocabulary["index"].tolist() == list(range(len(merged.vocabulary)))
    assert merged.vocabulary["name"].str.casefold().is_monotonic_increasing
    assert not set(merged.vocabulary["name"]) & set(merged.dropped["name"])


def test_a_cap_is_kept_closely_however_frequent_the_class_is() -> None:
    classes = ClassMap.of(*match_classes(visual_classes(), audio_classes(), ontology(), merge_params()))
    targets = LabelCounter()
    clips, speech = 5_000_000, classes.names.index("Speech")
    draws = np.random.default_rng(0).integers(0, 1 << 32, clips)
    shard = ShardClips(pa.nulls(clips, pa.string()), pa.nulls(clips, pa.string()), draws)
    targets.add("targets", "audio", np.full(clips, speech), shard.draw_bin)
    for cap in (20, 1000, 400_000):
        vocabulary, _ = build_vocabulary(targets, targets, classes, merge_params(max_clips=cap))
        kept = vocabulary.set_index("name").loc["Speech", "clip_count"]
        assert 0.9 * cap - 2 <= kept <= cap


@pytest.mark.parametrize(
    ("changes", "again"),
    [
        ({"min_clips": 3, "validation_fraction": 0.3, "targets": "soft", "drop_silent": True}, False),
        ({"rule": "agreement", "agreement": {"min_pmi": 2.0}}, False),
        ({"audio": {"threshold": 0.3, "top_k": 2, "max_rate": 0.5}}, False),
        ({"audio": {"threshold": 0.4, "top_k": 2}}, True),
        ({"max_clips": 50}, True),
        ({"parents": True}, True),
        ({"rule": "audio_only"}, True),
    ],
)
def test_labels_are_surveyed_again_only_for_what_the_survey_heeds(
    corpus: Corpus, changes: dict[str, Any], again: bool
) -> None:
    def survey(params: Any) -> dict[str, str]:
        classes = match_classes(visual_classes(), audio_classes(), ontology(), params)
        jobs = nodes.survey_labels(*corpus.values(), *classes, params)
        return {key: fingerprint(job) for key, job in jobs.items()}

    assert (survey(merge_params()) != survey(merge_params(**changes))) == again


def test_what_is_told_of_a_shard_does_not_depend_on_videos_elsewhere() -> None:
    videos = [str(number) for number in range(12)]
    seen = [(video, "statue" if number < 6 else "rain", 0.9) for number, video in enumerate(videos)]
    heard = [(video, "Speech" if number < 6 else "Bell", 0.9) for number, video in enumerate(videos)]
    alone = corpus_of({"s": [("0", "0")]}, {"s": seen[:1]}, {"s": heard[:1]})
    more = corpus_of({"t": [(video, video) for video in videos[1:]]}, {"t": seen[1:]}, {"t": heard[1:]})
    both = {name: alone[name] | more[name] for name in alone}
    params = merge_params(agreement={"min_videos": 2})
    before, after = merge(alone, params), merge(both, params)
    assert json.loads(after.tables["s"].schema.metadata[b"review"])["both"] == 1
    assert {row["support"] for row in after.associations.to_dict("records")} == {"association"}
    assert before.tables["s"].schema.metadata[b"review"] == after.tables["s"].schema.metadata[b"review"]
