"""Clip: every usable video has clips or is in the table of unclipped ones."""

from __future__ import annotations

import hashlib
import json
import shutil

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tests.fakes import MemoryShard, folder_of, shard_of
from tests.media.synthetic import RATE_HZ, write_media
from tests.pipelines.test_ingest import ingest
from xmodal_kedro.datasets.fingerprint import fingerprint
from xmodal_kedro.params import ClipParams, IngestParams
from xmodal_kedro.pipelines.clip.nodes import clip_videos, gather_unclipped, plot_sources
from xmodal_kedro.schemas import Clips, CutShortVideos, UnclippedVideos
from xmodal_kedro.storage import Folder, Shards

PARAMS = ClipParams(shard_mb=1.0)


def clip(root, videos: pd.DataFrame) -> tuple[Shards, pd.DataFrame, pd.DataFrame]:
    jobs = clip_videos(videos, folder_of(root), PARAMS, IngestParams())
    clips = {key: shard_of(job) for key, job in jobs.items()}
    for shard in clips.values():
        Clips.validate(shard().to_pandas())
    unclipped, cut_short = gather_unclipped(clips, videos)
    UnclippedVideos.validate(unclipped)
    CutShortVideos.validate(cut_short)
    return clips, unclipped, cut_short


def clipped_ids(clips: Shards) -> set[str]:
    return {video_id for load in clips.values() for video_id in load(["video_id"])["video_id"].to_pylist()}


def test_every_usable_video_ends_in_clips_or_with_a_reason(tmp_path, caplog):
    caplog.set_level("INFO")
    write_media(tmp_path / "good.mp4", duration_s=8.0)
    write_media(tmp_path / "short.mp4", duration_s=1.0)
    write_media(tmp_path / "silent.mp4", duration_s=4.0, sound=np.zeros(4 * RATE_HZ, np.float32))
    videos, _ = ingest(tmp_path)

    clips, unclipped, _ = clip(tmp_path, videos)

    assert clipped_ids(clips) == set(videos.loc[videos["uri"] == "good.mp4", "video_id"])
    assert dict(zip(unclipped["uri"], unclipped["reason"], strict=True)) == {
        "short.mp4": "too_short",
        "silent.mp4": "silent",
    }
    assert (
        "3 usable = 1 clipped + 2 unclipped (1 silent, 1 too_short); 1 clipped = 1 whole + 0 cut short" in caplog.text
    )


def test_a_film_has_frames_and_a_recording_of_sound_beside_it_has_none(tmp_path):
    write_media(tmp_path / "film.mp4", duration_s=4.0)
    write_media(tmp_path / "radio.mp4", duration_s=4.0, pictures_s=0)
    videos, _ = ingest(tmp_path)

    clips, unclipped, cut_short = clip(tmp_path, videos)

    uri_of = dict(zip(videos["video_id"], videos["uri"], strict=True))
    rows = pd.concat(load().to_pandas() for load in clips.values())
    frames_of = dict(zip(rows["video_id"].map(uri_of), rows["frames"].map(len), strict=True))
    assert frames_of["film.mp4"] > 0
    assert frames_of["radio.mp4"] == 0
    assert unclipped.empty
    assert cut_short.empty


def test_a_corpus_that_is_clipped_whole_leaves_an_empty_table(tmp_path):
    write_media(tmp_path / "good.mp4", duration_s=4.0)

    _, unclipped, cut_short = clip(tmp_path, ingest(tmp_path)[0])

    assert unclipped.empty
    assert cut_short.empty


@pytest.mark.parametrize(
    ("shards", "counts"),
    [([], r"1 usable = 0 clipped \+ 0 unclipped"), ([0, 1], r"1 usable = 2 clipped \+ 0")],
    ids=["lost", "clipped twice"],
)
def test_a_video_that_is_lost_or_doubled_is_an_error_with_the_counts(tmp_path, shards, counts):
    write_media(tmp_path / "good.mp4", duration_s=4.0)
    videos, _ = ingest(tmp_path)
    (job,) = clip_videos(videos, folder_of(tmp_path), PARAMS, IngestParams()).values()

    with pytest.raises(ValueError, match=rf"{counts}.*run the ingest and clip pipelines again"):
        gather_unclipped({f"shard-{index}": shard_of(job) for index in shards}, videos)


def reported(clips: pa.Table, unclipped: list[dict[str, str]], cut_short: list[dict[str, str]]) -> Shards:
    """A shard of clips with the report of its job."""
    rows = {"unclipped": json.dumps(unclipped), "cut_short": json.dumps(cut_short)}
    return {"shard-all": MemoryShard(clips.replace_schema_metadata({**rows, "silent_spans": "0", "unseen_spans": "0"}))}


@pytest.fixture
def good_and_short(tmp_path) -> tuple[pd.DataFrame, pa.Table, dict[str, dict[str, str]]]:
    """Two videos, of which one gave clips; its clips; and a row that says `corrupt` of each."""
    write_media(tmp_path / "good.mp4", duration_s=4.0)
    write_media(tmp_path / "short.mp4", duration_s=1.0)
    videos, _ = ingest(tmp_path)
    clips = pa.concat_tables(
        [shard_of(job)() for job in clip_videos(videos, folder_of(tmp_path), PARAMS, IngestParams()).values()]
    )
    rows = {
        video.uri: {"video_id": video.video_id, "uri": video.uri, "reason": "corrupt", "detail": "it breaks off"}
        for video in videos.itertuples()
    }
    return videos, clips, rows


def test_a_video_cannot_be_both_clipped_and_unclipped(good_and_short):
    videos, clips, rows = good_and_short

    with pytest.raises(ValueError, match=r"2 usable = 1 clipped \+ 1 unclipped"):
        gather_unclipped(reported(clips, [rows["good.mp4"]], []), videos)


def test_a_video_that_was_cut_short_is_clipped_and_reported_with_its_reason(good_and_short, caplog):
    caplog.set_level("INFO")
    videos, clips, rows = good_and_short

    _, cut_short = gather_unclipped(reported(clips, [rows["short.mp4"]], [rows["good.mp4"]]), videos)

    assert cut_short.to_dict("records") == [rows["good.mp4"]]
    assert "1 clipped = 0 whole + 1 cut short (1 corrupt)" in caplog.text


@pytest.mark.parametrize("wrong", [["short.mp4"], ["good.mp4", "good.mp4"]], ids=["without clips", "twice"])
def test_a_video_that_is_cut_short_wrongly_is_an_error(good_and_short, wrong):
    videos, clips, rows = good_and_short

    with pytest.raises(ValueError, match=r"whole \+ [12] cut short .*run the ingest and clip pipelines again"):
        gather_unclipped(reported(clips, [rows["short.mp4"]], [rows[name] for name in wrong]), videos)


def test_a_video_that_is_gone_since_ingest_is_unreadable(tmp_path):
    write_media(tmp_path / "good.mp4", duration_s=4.0)
    write_media(tmp_path / "gone.mp4", duration_s=4.5)
    videos, _ = ingest(tmp_path)
    (tmp_path / "gone.mp4").unlink()

    _, unclipped, _ = clip(tmp_path, videos)

    assert dict(zip(unclipped["uri"], unclipped["reason"], strict=True)) == {"gone.mp4": "unreadable"}


def table_of(count: int, duration_s: float, **columns: object) -> pd.DataFrame:
    """Made-up usable videos; columns that the plan of shards does not read are left out."""
    ids = [hashlib.sha256(str(number).encode()).hexdigest()[:32] for number in range(count)]
    rows = {"video_id": ids, "uri": ids, "size_bytes": 1, "duration_s": duration_s, "channels": 1, "video_track": 0}
    rows |= {"audio_track": "1", "channel_use": "1*c0"}
    return pd.DataFrame({**rows, **columns})


def test_a_shard_is_bounded_in_bytes_but_for_a_single_video():
    videos = table_of(200, 100.0)  # 4.2 MB each
    videos.loc[0, "duration_s"] = 7200.0

    jobs = clip_videos(videos, Folder("", {}), ClipParams(shard_mb=64), IngestParams())

    sizes = [len(job.args[0]) for job in jobs.values()]
    assert sum(sizes) == 200
    assert max(sizes) <= 15
    alone = [job.args[0] for job in jobs.values() if videos.loc[0, "video_id"] in {s.video_id for s in job.args[0]}]
    assert [len(sources) for sources in alone] == [1]


def test_audio_only_recordings_need_fewer_shards():
    with_video = clip_videos(table_of(400, 100.0), Folder("", {}), ClipParams(shard_mb=64), IngestParams())
    audio_only = clip_videos(
        table_of(400, 100.0, video_track=-1), Folder("", {}), ClipParams(shard_mb=64), IngestParams()
    )

    assert all(source.use.video_track < 0 for job in audio_only.values() for source in job.args[0])
    assert not any(source.use.video_track < 0 for job in with_video.values() for source in job.args[0])
    assert len(audio_only) < len(with_video)


def test_the_plot_of_sources_shows_each_table_under_its_own_name():
    unusable = {
        name: pd.DataFrame({"video_id": ["v"], "uri": ["u"], "reason": [reason], "detail": [""]})
        for name, reason in (("rejected", "no_audio"), ("unclipped", "silent"), ("cut_short", "corrupt"))
    }

    figure = plot_sources(table_of(5, 10.0), *unusable.values())

    bars = {name: count for bar in figure.data for name, count in zip(bar.y, bar.x, strict=True)}
    assert bars == {
        "Used to the end": 3,
        "Used in part: corrupt or broken off": 1,
        "No clip: silent": 1,
        "Rejected: no audio stream": 1,
    }


def test_without_a_usable_video_there_is_nothing_to_clip(tmp_path):
    (tmp_path / "notes.txt").write_text("some text")
    videos, _ = ingest(tmp_path)

    with pytest.raises(ValueError, match=rf"{tmp_path}.*rejected_videos"):
        clip_videos(videos, folder_of(tmp_path), PARAMS, IngestParams())


def test_a_moved_corpus_needs_no_new_clips(tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    write_media(here / "a.mp4", duration_s=4.0)
    videos, _ = ingest(here)
    shutil.copytree(here, there)

    before, after = (clip_videos(videos, folder_of(folder), PARAMS, IngestParams()) for folder in (here, there))

    assert [fingerprint(job) for job in before.values()] == [fingerprint(job) for job in after.values()]


def test_changed_parameters_need_new_clips(tmp_path):
    write_media(tmp_path / "a.mp4", duration_s=4.0)
    videos, _ = ingest(tmp_path)
    folder = folder_of(tmp_path)

    (before,), (after,) = (
        clip_videos(videos, folder, params, IngestParams()).values()
        for params in (PARAMS, ClipParams(shard_mb=1.0, target_s=3.5))
    )

    assert fingerprint(before) != fingerprint(after)


@pytest.mark.parametrize("folder", ["videos", "hostile"])
def test_real_recordings_are_conserved(real_data, folder):
    videos, _ = ingest(real_data / folder)
    if folder == "videos":
        videos = videos.iloc[::6]

    clips, unclipped, cut_short = clip(real_data / folder, videos)

    assert clipped_ids(clips) | set(unclipped["video_id"]) == set(videos["video_id"])
    assert not clipped_ids(clips) & set(unclipped["video_id"])
    assert clipped_ids(clips)
    assert set(cut_short["video_id"]) <= clipped_ids(clips)
