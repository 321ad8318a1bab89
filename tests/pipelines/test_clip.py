"""Clip: every usable video ends in clips or in the table of unclipped ones."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tests.fakes import MemoryShard, folder_of
from tests.media.synthetic import RATE_HZ, write_media
from tests.pipelines.test_ingest import ingest
from xmodal_kedro.datasets.fingerprint import fingerprint
from xmodal_kedro.handles import Shards
from xmodal_kedro.params import ClipParams
from xmodal_kedro.pipelines.clip.nodes import clip_videos, gather_unclipped
from xmodal_kedro.schemas import Clips, UnclippedVideos

PARAMS = ClipParams(shards=4)


def clip(root, videos: pd.DataFrame) -> tuple[Shards, pd.DataFrame]:
    jobs = clip_videos(videos, folder_of(root), PARAMS)
    tables = {key: job() for key, job in jobs.items()}
    for table in tables.values():
        Clips.validate(table.to_pandas())
    clips = {key: MemoryShard(table) for key, table in tables.items()}
    unclipped = gather_unclipped(clips, videos)
    UnclippedVideos.validate(unclipped)
    return clips, unclipped


def clipped_ids(clips: Shards) -> set[str]:
    return {video_id for load in clips.values() for video_id in load(["video_id"])["video_id"].to_pylist()}


def test_every_usable_video_ends_in_clips_or_with_a_reason(tmp_path, caplog):
    caplog.set_level("INFO")
    write_media(tmp_path / "good.mp4", duration_s=8.0)
    write_media(tmp_path / "short.mp4", duration_s=1.0)
    write_media(tmp_path / "silent.mp4", duration_s=4.0, sound=np.zeros(4 * RATE_HZ, np.float32))
    videos, _ = ingest(tmp_path)

    clips, unclipped = clip(tmp_path, videos)

    assert clipped_ids(clips) == set(videos.loc[videos["uri"] == "good.mp4", "video_id"])
    assert dict(zip(unclipped["uri"], unclipped["reason"], strict=True)) == {
        "short.mp4": "too_short",
        "silent.mp4": "silent",
    }
    assert "3 usable = 1 clipped + 2 unclipped" in caplog.text


def test_a_corpus_that_is_clipped_whole_leaves_an_empty_table(tmp_path):
    write_media(tmp_path / "good.mp4", duration_s=4.0)

    _, unclipped = clip(tmp_path, ingest(tmp_path)[0])

    assert unclipped.empty


@pytest.mark.parametrize(
    ("shards", "counts"),
    [([], r"1 usable = 0 clipped \+ 0 unclipped"), ([0, 1], r"1 usable = 2 clipped \+ 0")],
    ids=["lost", "clipped twice"],
)
def test_a_video_that_is_lost_or_doubled_is_an_error_with_the_counts(tmp_path, shards, counts):
    write_media(tmp_path / "good.mp4", duration_s=4.0)
    videos, _ = ingest(tmp_path)
    (job,) = clip_videos(videos, folder_of(tmp_path), PARAMS).values()

    with pytest.raises(ValueError, match=rf"{counts}.*run the ingest and clip pipelines again"):
        gather_unclipped({f"shard-{index:05d}": MemoryShard(job()) for index in shards}, videos)


def test_a_video_cannot_be_both_clipped_and_unclipped(tmp_path):
    write_media(tmp_path / "good.mp4", duration_s=4.0)
    write_media(tmp_path / "short.mp4", duration_s=1.0)
    videos, _ = ingest(tmp_path)
    clips = pa.concat_tables([job() for job in clip_videos(videos, folder_of(tmp_path), PARAMS).values()])
    good = videos[videos["uri"] == "good.mp4"].iloc[0]
    row = {"video_id": good["video_id"], "uri": good["uri"], "reason": "silent", "detail": ""}
    metadata = {"unclipped": json.dumps([row]), "silent_spans": "0", "unseen_spans": "0"}

    with pytest.raises(ValueError, match=r"2 usable = 1 clipped \+ 1 unclipped"):
        gather_unclipped({"shard-00000": MemoryShard(clips.replace_schema_metadata(metadata))}, videos)


def test_without_a_usable_video_there_is_nothing_to_clip(tmp_path):
    (tmp_path / "notes.txt").write_text("some text")
    videos, _ = ingest(tmp_path)

    with pytest.raises(ValueError, match=rf"{tmp_path}.*rejected_videos"):
        clip_videos(videos, folder_of(tmp_path), PARAMS)


def test_a_moved_corpus_needs_no_new_clips(tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    write_media(here / "a.mp4", duration_s=4.0)
    videos, _ = ingest(here)
    shutil.copytree(here, there)

    before, after = (clip_videos(videos, folder_of(folder), PARAMS) for folder in (here, there))

    assert [fingerprint(job) for job in before.values()] == [fingerprint(job) for job in after.values()]


def test_changed_parameters_need_new_clips(tmp_path):
    write_media(tmp_path / "a.mp4", duration_s=4.0)
    videos, _ = ingest(tmp_path)
    folder = folder_of(tmp_path)

    (before,), (after,) = (
        clip_videos(videos, folder, params).values() for params in (PARAMS, ClipParams(shards=4, target_s=3.5))
    )

    assert fingerprint(before) != fingerprint(after)


@pytest.mark.parametrize("folder", ["videos", "hostile"])
def test_real_recordings_are_conserved(real_data, folder):
    videos, _ = ingest(real_data / folder)
    if folder == "videos":
        videos = videos.iloc[::6]

    clips, unclipped = clip(real_data / folder, videos)

    assert clipped_ids(clips) | set(unclipped["video_id"]) == set(videos["video_id"])
    assert not clipped_ids(clips) & set(unclipped["video_id"])
    assert clipped_ids(clips)
