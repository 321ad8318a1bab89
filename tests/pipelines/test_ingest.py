"""Ingest: every source ends in exactly one of the two tables."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest

from tests.fakes import MemoryShard, folder_of
from tests.media.synthetic import write_media
from xmodal_kedro.datasets.fingerprint import fingerprint
from xmodal_kedro.handles import Folder
from xmodal_kedro.params import IngestParams
from xmodal_kedro.pipelines.ingest.nodes import collect_videos, probe_sources
from xmodal_kedro.schemas import RejectedVideos, Videos

PARAMS = IngestParams(shards=4)


def ingest(root) -> tuple[pd.DataFrame, pd.DataFrame]:
    jobs = probe_sources(folder_of(root), PARAMS)
    videos, rejected = collect_videos({key: MemoryShard(job()) for key, job in jobs.items()})
    Videos.validate(videos)
    RejectedVideos.validate(rejected)
    return videos, rejected


def test_every_source_ends_in_exactly_one_table(tmp_path, caplog):
    caplog.set_level("INFO")
    (tmp_path / "deep" / "er").mkdir(parents=True)
    write_media(tmp_path / "b.mp4", duration_s=1.0)
    write_media(tmp_path / "deep" / "er" / "a.mkv", duration_s=1.5)
    write_media(tmp_path / "film.mp4", duration_s=1.0, sound=np.empty(0, np.float32))
    (tmp_path / "index.csv").write_text("file\nb.mp4\n")

    videos, rejected = ingest(tmp_path)

    assert list(videos["uri"]) == ["b.mp4", "deep/er/a.mkv"]
    assert dict(zip(rejected["uri"], rejected["reason"], strict=True)) == {
        "film.mp4": "no_audio",
        "index.csv": "not_media",
    }
    assert "4 sources = 2 usable + 2 rejected (1 no_audio, 1 not_media)" in caplog.text


def test_of_equal_content_the_first_name_is_kept(tmp_path):
    write_media(tmp_path / "b.mp4", duration_s=1.0)
    shutil.copy(tmp_path / "b.mp4", tmp_path / "c.mp4")
    shutil.copy(tmp_path / "b.mp4", tmp_path / "a.mp4")

    videos, rejected = ingest(tmp_path)

    assert list(videos["uri"]) == ["a.mp4"]
    assert list(rejected["uri"]) == ["b.mp4", "c.mp4"]
    assert set(rejected["reason"]) == {"duplicate"}
    assert set(rejected["detail"]) == {"same content as a.mp4"}


def test_a_source_that_was_probed_twice_is_an_error_with_the_counts(tmp_path):
    write_media(tmp_path / "a.mp4", duration_s=1.0)
    (job,) = probe_sources(folder_of(tmp_path), PARAMS).values()

    with pytest.raises(ValueError, match=r"1 sources = 2 usable \+ 0 rejected .*run the ingest pipeline"):
        collect_videos({"shard-00000": MemoryShard(job()), "shard-00001": MemoryShard(job())})


def test_a_corpus_without_a_usable_video_is_told_in_full(tmp_path):
    (tmp_path / "notes.txt").write_text("some text")

    videos, rejected = ingest(tmp_path)

    assert videos.empty
    assert len(rejected) == 1


def test_an_empty_folder_is_refused_at_once(tmp_path):
    with pytest.raises(ValueError, match=rf"{tmp_path}.*put videos there"):
        probe_sources(Folder(str(tmp_path), {}), PARAMS)


def test_a_new_source_leaves_the_other_shards_as_they_are(tmp_path):
    for index in range(12):
        (tmp_path / f"{index}.mp4").write_text(str(index))
    before = {key: fingerprint(job) for key, job in probe_sources(folder_of(tmp_path), PARAMS).items()}
    (tmp_path / "new.mp4").write_text("new")

    after = {key: fingerprint(job) for key, job in probe_sources(folder_of(tmp_path), PARAMS).items()}

    assert len(set(after.items()) - set(before.items())) == 1


def test_real_recordings_are_conserved(real_data):
    videos, rejected = ingest(real_data / "hostile")

    files = folder_of(real_data / "hostile")
    assert sorted([*videos["uri"], *rejected["uri"]]) == list(files)
