"""Merging labels: which videos are in the validation split, and which shards are made again."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.labels.merging import (
    NOT_REVIEWED,
    Corpus,
    audio_classes,
    clips_of,
    corpus_of,
    merge,
    merge_params,
    near_duplicates,
    ontology,
    visual_classes,
)
from tests.teachers.fixtures import labels_shard
from xmodal_kedro.datasets.fingerprint import fingerprint
from xmodal_kedro.labels.match import match_classes
from xmodal_kedro.labels.merge import split_of
from xmodal_kedro.pipelines.merge_labels import nodes
from xmodal_kedro.sharding import spread


def test_a_changed_count_alone_does_not_change_a_shards_fingerprint(corpus: Corpus) -> None:
    more = {name: dict(shards) for name, shards in corpus.items()}
    more["clips"]["t"] = clips_of([("d", "v3")])
    more["visual"]["t"] = labels_shard([("d", "drum", 0.9)], clips=1)
    more["audio"]["t"] = labels_shard([("d", "Drum", 0.9)], clips=1)
    new = corpus_of({"t": [("e", "v4")]}, {"t": [("e", "bell", 0.9)]}, {})
    newer = {name: {**more[name], **new[name]} for name in more}

    def fingerprint_of(corpus: Corpus) -> str:
        return fingerprint(merge(corpus, merge_params()).jobs["s"])

    assert fingerprint_of(corpus) == fingerprint_of(more)
    assert fingerprint_of(corpus) != fingerprint_of(newer)


def test_about_the_wanted_share_of_videos_is_held_out() -> None:
    videos = [f"{number:032x}" for number in range(4000)]
    held_out = [split_of(video, 0.15) == "validation" for video in videos]
    assert abs(np.mean(held_out) - 0.15) < 0.02
    assert all(split_of(video, 0.3) == "validation" for video, out in zip(videos, held_out, strict=True) if out)


def hex_id(number: int) -> str:
    return f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}".ljust(32, "0")


def dogs(videos: list[str], bound: float) -> Corpus:
    """One labelled clip for each video, in shards as `clip` makes them."""
    shards = spread(dict.fromkeys(videos, 1.0), bound)
    labels = {key: [(video, "dog", 0.9) for video in members] for key, members in shards.items()}
    return corpus_of({key: [(video, video) for video in members] for key, members in shards.items()}, labels, {})


@settings(deadline=None, max_examples=10)
@given(groups=st.lists(st.integers(0, 6), min_size=2, max_size=12), bound=st.sampled_from([1.0, 4.0, 100.0]))
def test_near_duplicates_are_assigned_to_one_split_and_other_videos_keep_theirs(
    groups: list[int], bound: float
) -> None:
    videos = [hex_id(number) for number in range(len(groups))]
    together = {group: [v for v, g in zip(videos, groups, strict=True) if g == group] for group in set(groups)}
    duplicates = near_duplicates({v: min(held) for held in together.values() if len(held) > 1 for v in held})
    corpus, params = dogs(videos, bound), merge_params(validation_fraction=0.5)
    split, split_before = (
        {
            row["video_id"]: row["split"]
            for table in merge(corpus, params, known).tables.values()
            for row in table.to_pylist()
        }
        for known in (duplicates, near_duplicates({}))
    )
    for held in together.values():
        assert len({split[video] for video in held}) == 1
        if len(held) == 1:
            assert split[held[0]] == split_before[held[0]]


def test_without_their_group_near_duplicates_would_be_in_both_splits() -> None:
    assert len({split_of(hex_id(number), 0.5) for number in range(24)}) == 2


def test_a_new_group_elsewhere_does_not_change_a_label_shard() -> None:
    corpus, params = dogs([hex_id(number) for number in range(16)], 4.0), merge_params()
    (key, shard), *_ = corpus["clips"].items()
    pair = sorted(shard()["video_id"].to_pylist())[:2]

    def fingerprints(duplicates: pd.DataFrame) -> dict[str, str]:
        return {name: fingerprint(job) for name, job in merge(corpus, params, duplicates).jobs.items()}

    before, after = fingerprints(near_duplicates({})), fingerprints(near_duplicates(dict.fromkeys(pair, pair[0])))
    assert {name for name in before if before[name] != after[name]} == {key}


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
def test_labels_are_surveyed_again_only_for_parameters_of_the_survey(
    corpus: Corpus, changes: dict[str, Any], again: bool
) -> None:
    def survey(params: Any) -> dict[str, str]:
        classes = match_classes(visual_classes(), audio_classes(), ontology(), params)
        jobs = nodes.survey_labels(*corpus.values(), *classes, NOT_REVIEWED, params)
        return {key: fingerprint(job) for key, job in jobs.items()}

    assert (survey(merge_params()) != survey(merge_params(**changes))) == again


def test_the_metadata_of_a_shard_does_not_depend_on_videos_elsewhere() -> None:
    videos = [str(number) for number in range(12)]
    visual = [(video, "statue" if number < 6 else "rain", 0.9) for number, video in enumerate(videos)]
    audio = [(video, "Speech" if number < 6 else "Bell", 0.9) for number, video in enumerate(videos)]
    alone = corpus_of({"s": [("0", "0")]}, {"s": visual[:1]}, {"s": audio[:1]})
    more = corpus_of({"t": [(video, video) for video in videos[1:]]}, {"t": visual[1:]}, {"t": audio[1:]})
    both = {name: alone[name] | more[name] for name in alone}
    params = merge_params(agreement={"min_videos": 2})
    before, after = merge(alone, params), merge(both, params)
    assert json.loads(after.tables["s"].schema.metadata[b"review"])["both"] == 1
    assert {row["support"] for row in after.associations.to_dict("records")} == {"association"}
    assert before.tables["s"].schema.metadata[b"review"] == after.tables["s"].schema.metadata[b"review"]
