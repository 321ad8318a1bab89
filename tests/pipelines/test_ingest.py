"""Ingest: every source is in exactly one of the two tables."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest

from tests.fakes import folder_of, shard_of
from tests.media.synthetic import write_media
from xmodal_kedro.params import IngestParams
from xmodal_kedro.pipelines.ingest.nodes import collect_videos, probe_sources
from xmodal_kedro.schemas import RejectedVideos, Videos
from xmodal_kedro.storage import FileRef, Folder

PARAMS = IngestParams(shard_sources=4)


def ingest(root) -> tuple[pd.DataFrame, pd.DataFrame]:
    sources = folder_of(root)
    jobs = probe_sources(sources, PARAMS)
    videos, rejected = collect_videos({key: shard_of(job) for key, job in jobs.items()}, sources)
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


def test_videos_and_recordings_of_sound_are_used_in_one_run(tmp_path, caplog):
    caplog.set_level("INFO")
    write_media(tmp_path / "film.mp4", duration_s=1.0)
    write_media(tmp_path / "radio.mp4", duration_s=1.5, pictures_s=0)

    videos, rejected = ingest(tmp_path)

    assert list(videos["uri"]) == ["film.mp4", "radio.mp4"]
    assert list(videos["video_track"] < 0) == [False, True]
    assert rejected.empty
    assert "1 of the usable have no video" in caplog.text


def test_of_equal_content_the_first_name_is_kept(tmp_path):
    write_media(tmp_path / "b.mp4", duration_s=1.0)
    shutil.copy(tmp_path / "b.mp4", tmp_path / "c.mp4")
    shutil.copy(tmp_path / "b.mp4", tmp_path / "a.mp4")

    videos, rejected = ingest(tmp_path)

    assert list(videos["uri"]) == ["a.mp4"]
    assert list(rejected["uri"]) == ["b.mp4", "c.mp4"]
    assert set(rejected["reason"]) == {"duplicate"}
    assert set(rejected["detail"]) == {"same content as a.mp4"}


def test_reasons_are_counted_most_frequent_first(tmp_path, caplog):
    caplog.set_level("INFO")
    for name in ("a.txt", "b.txt", "c.txt"):
        (tmp_path / name).write_text(f"some text {name}")
    write_media(tmp_path / "d.mp4", duration_s=1.0, sound=np.empty(0, np.float32))

    ingest(tmp_path)

    assert "4 sources = 0 usable + 4 rejected (3 not_media, 1 no_audio)" in caplog.text


def test_a_source_that_was_probed_twice_is_an_error_with_the_counts(tmp_path):
    write_media(tmp_path / "a.mp4", duration_s=1.0)
    sources = folder_of(tmp_path)
    (job,) = probe_sources(sources, PARAMS).values()

    with pytest.raises(ValueError, match=r"1 sources = 2 usable \+ 0 rejected: .*run the ingest pipeline"):
        collect_videos({"shard-0": shard_of(job), "shard-1": shard_of(job)}, sources)


def test_a_source_that_was_not_probed_is_an_error_with_the_counts(tmp_path):
    write_media(tmp_path / "a.mp4", duration_s=1.0)
    probes = {key: shard_of(job) for key, job in probe_sources(folder_of(tmp_path), PARAMS).items()}
    write_media(tmp_path / "b.mp4", duration_s=1.5)

    with pytest.raises(ValueError, match=r"2 sources = 1 usable \+ 0 rejected: .*run the ingest pipeline"):
        collect_videos(probes, folder_of(tmp_path))


def test_a_source_that_is_gone_is_an_error_with_the_counts(tmp_path):
    write_media(tmp_path / "a.mp4", duration_s=1.0)
    probes = {key: shard_of(job) for key, job in probe_sources(folder_of(tmp_path), PARAMS).items()}

    with pytest.raises(ValueError, match=r"0 sources = 1 usable \+ 0 rejected: .*run the ingest pipeline"):
        collect_videos(probes, Folder(str(tmp_path), {}))


def test_a_corpus_without_a_usable_video_has_all_its_reasons(tmp_path):
    (tmp_path / "notes.txt").write_text("some text")

    videos, rejected = ingest(tmp_path)

    assert videos.empty
    assert len(rejected) == 1


def test_an_empty_folder_is_refused_at_once(tmp_path):
    with pytest.raises(ValueError, match=rf"{tmp_path}.*put videos there"):
        probe_sources(Folder(str(tmp_path), {}), PARAMS)


def planned_sizes(sizes: list[int], params: IngestParams) -> list[list[int]]:
    """Sizes of the sources of each shard."""
    files = {f"{index}.mp4": FileRef(f"{index}.mp4", "", size, 0) for index, size in enumerate(sizes)}
    jobs = probe_sources(Folder("", files), params)
    return [[source.file.size_bytes for source in job.args[0]] for job in jobs.values()]


def test_a_shard_is_bounded_in_sources_and_in_bytes_but_for_a_single_source():
    params = IngestParams(shard_sources=16, shard_gb=1.0)
    sizes = [0] * 300 + [200_000_000] * 30 + [5_000_000_000]

    shards = planned_sizes(sizes, params)

    assert sorted(size for shard in shards for size in shard) == sorted(sizes)
    assert max(map(len, shards)) <= 16
    assert all(len(shard) == 1 or sum(shard) <= 1e9 for shard in shards)


def test_few_small_sources_share_a_shard():
    assert planned_sizes([1000, 2000, 3000], IngestParams()) != [[1000], [2000], [3000]]
    assert len(planned_sizes([1000] * 256, IngestParams())) == 1


def test_real_recordings_are_conserved(real_data):
    videos, rejected = ingest(real_data / "hostile")

    files = folder_of(real_data / "hostile")
    assert sorted([*videos["uri"], *rejected["uri"]]) == list(files)
