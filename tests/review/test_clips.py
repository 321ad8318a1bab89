"""Clips are found by their ids in whatever shard they are."""

from __future__ import annotations

from tests.review.corpus import corpus_of
from xmodal_kedro.review.clips import find_clips

CLIPS = [f"c{number}" for number in range(7)]


def test_those_that_are_there_are_found_with_shard_and_span() -> None:
    clips = corpus_of(CLIPS, {}, shards=3).clips
    found = find_clips(clips, ["c4", "gone", "c0", "c4"])
    assert found.to_numpy().tolist() == [
        ["c0", "shard-000000", "c0-video", 0.0, 1.0],
        ["c4", "shard-000001", "c4-video", 0.0, 1.0],
    ]


def test_of_no_ids_nothing_is_read() -> None:
    assert find_clips({"shard-all": None}, []).empty  # type: ignore[dict-item]
