"""The nodes of `clip` that find near-duplicates."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tests.dedup.recordings import clip_of_sound, sound_of
from tests.fakes import MemoryShard
from xmodal_kedro.datasets.fingerprint import fingerprint
from xmodal_kedro.params import NearDuplicateParams
from xmodal_kedro.pipelines.clip.near_duplicates import group_near_duplicates, sign_videos
from xmodal_kedro.schemas import NearDuplicates, Signatures


def clip_named(name: str, seed: int, gain: float = 1.0) -> pa.Table:
    return clip_of_sound(name, (gain * 20_000 * sound_of(seed, 4)[::3]).astype(np.int16))


def test_clips_are_signed_shard_by_shard_and_copies_in_any_two_are_grouped(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    tables = {"shard-0": [clip_named("one", 1), clip_named("two", 2)], "shard-1": [clip_named("copy", 1, gain=0.5)]}
    clips = {key: MemoryShard(pa.concat_tables(parts)) for key, parts in tables.items()}
    signatures = {key: MemoryShard(job()) for key, job in sign_videos(clips).items()}
    for load in signatures.values():
        Signatures.validate(load().to_pandas())
    ids = {name: clip_named(name, 1)["video_id"][0].as_py() for name in ("one", "two", "copy")}
    videos = pd.DataFrame({"video_id": ids.values(), "uri": ids.keys()})

    found = group_near_duplicates(signatures, videos, NearDuplicateParams())

    NearDuplicates.validate(found)
    assert set(found["uri"]) == {"one", "copy"}
    assert set(found["group_id"]) == {min(ids["one"], ids["copy"])}
    assert "clip: 2 near-duplicates in 1 group\n" in caplog.text


def test_a_corpus_without_near_duplicates_leaves_an_empty_table() -> None:
    signatures = {
        key: MemoryShard(job()) for key, job in sign_videos({"shard-all": MemoryShard(clip_named("one", 1))}).items()
    }
    videos = pd.DataFrame({"video_id": [clip_named("one", 1)["video_id"][0].as_py()], "uri": ["one"]})

    found = group_near_duplicates(signatures, videos, NearDuplicateParams())

    NearDuplicates.validate(found)
    assert found.empty


def test_only_changed_clips_are_signed_again() -> None:
    def fingerprints(second: int) -> list[str]:
        clips = {"shard-0": MemoryShard(clip_named("one", 1)), "shard-1": MemoryShard(clip_named("two", second))}
        return [fingerprint(job) for job in sign_videos(clips).values()]

    (same, before), (still, after) = fingerprints(2), fingerprints(3)
    assert same == still
    assert before != after
