"""Recordings in an object store give the same results as local files, with one copy at a time."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec
import pandas as pd
import pytest
from joblib.externals.loky import get_reusable_executor

from tests.media.synthetic import CODINGS, write_media
from tests.storage_servers import BUCKET, Flaky, flaky, http_server, s3_server
from xmodal_kedro.datasets.sharded import ShardedParquetDataset
from xmodal_kedro.datasets.sources import SourcesDataset
from xmodal_kedro.datasets.stored_shard import StoredShard
from xmodal_kedro.params import ClipParams, IngestParams
from xmodal_kedro.pipelines.clip.nodes import clip_videos, gather_unclipped
from xmodal_kedro.pipelines.ingest.nodes import collect_videos, probe_sources
from xmodal_kedro.storage import PROVISIONAL_KEY, FileRef, Folder, ShardJobs
from xmodal_kedro.storage import files as handled_files

WORKERS = 2
INGEST, CLIP = IngestParams(shard_sources=2), ClipParams(shard_mb=0.2)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("corpus")
    (root / "deep").mkdir()
    for index, coding in enumerate(CODINGS[:4]):
        write_media(root / "deep" / f"{index}{coding.suffix}", coding, duration_s=6.0 + index)
    shutil.copy(root / "deep" / "0.mp4", root / "twin.mp4")
    (root / "notes.txt").write_text("some text")
    return root


@pytest.fixture(scope="module")
def s3(corpus: Path) -> Iterator[dict[str, Any]]:
    with s3_server() as options:
        fs = fsspec.filesystem("s3", **options)
        for path in corpus.rglob("*.*"):
            fs.put_file(str(path), f"{BUCKET}/corpus/{path.relative_to(corpus)}")
        yield options


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder for temporary files of workers that a test starts."""
    room = tmp_path / "room"
    room.mkdir()
    monkeypatch.setenv("TMPDIR", str(room))
    get_reusable_executor().shutdown(wait=True)
    yield room
    get_reusable_executor().shutdown(wait=True)


@contextmanager
def copy_counts(room: Path) -> Iterator[list[int]]:
    """Samples of the number of copies in the folder."""
    counts, over = [0], threading.Event()

    def watch() -> None:
        while not over.wait(0.001):
            counts.append(len(list(room.glob("xmodal-*"))))

    watcher = threading.Thread(target=watch)
    watcher.start()
    yield counts
    over.set()
    watcher.join()


def store(jobs: ShardJobs, path: Path, backend: str = "threading") -> dict[str, StoredShard]:
    data = ShardedParquetDataset(path=str(path), engine={"backend": backend, "workers": WORKERS})
    data.save(jobs)
    return data.load()


def run(source: Folder, out: Path, backend: str) -> tuple[list[pd.DataFrame], dict[str, Any]]:
    """Ingest and clip: the tables, and the clips by shard."""
    videos, rejected = collect_videos(store(probe_sources(source, INGEST), out / "probes", backend), source)
    clips = store(clip_videos(videos, source, CLIP, IngestParams()), out / "clips", backend)
    return [videos, rejected, *gather_unclipped(clips, videos)], {key: load() for key, load in clips.items()}


def test_files_in_an_object_store_give_what_local_ones_give(
    corpus: Path, s3: dict[str, Any], room: Path, tmp_path: Path
) -> None:
    here = SourcesDataset(path=str(corpus)).load()
    there = SourcesDataset(path=f"s3://{BUCKET}/corpus", credentials={"s3": s3}).load()
    local_tables, local_clips = run(here, tmp_path / "local", "threading")
    with copy_counts(room) as counts:
        remote_tables, remote_clips = run(there, tmp_path / "remote", "loky")
    assert list(local_tables[0]["uri"]) == ["deep/0.mp4", "deep/1.mov", "deep/2.mkv", "deep/3.webm"]
    for local, remote in zip(local_tables, remote_tables, strict=True):
        pd.testing.assert_frame_equal(local, remote)
    assert remote_clips == local_clips
    assert sum(table.num_rows for table in remote_clips.values())
    assert 1 <= max(counts) <= WORKERS
    assert not list(room.glob("xmodal-*"))


def test_a_file_that_is_gone_after_the_listing_is_unreadable_for_now(s3: dict[str, Any], tmp_path: Path) -> None:
    fs = fsspec.filesystem("s3", **s3)
    for name in ("a.mp4", "b.mp4"):
        fs.pipe_file(f"{BUCKET}/vanishing/{name}", name.encode())
    source = SourcesDataset(path=f"s3://{BUCKET}/vanishing", credentials={"s3": s3}).load()
    fs.rm_file(f"{BUCKET}/vanishing/a.mp4")
    (shard,) = store(probe_sources(source, INGEST), tmp_path / "probes").values()
    assert dict(zip(shard()["uri"].to_pylist(), shard()["reason"].to_pylist(), strict=True)) == {
        "a.mp4": "unreadable",
        "b.mp4": "not_media",
    }
    assert PROVISIONAL_KEY in shard.metadata


def test_a_server_that_breaks_off_is_tried_again_and_costs_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handled_files, "FETCH_PAUSE_S", 0.001)
    handler = flaky(failures=100)
    with http_server(handler) as address:
        source = Folder(address, {"a.mp4": FileRef("a.mp4", f"{address}/a.mp4", len(Flaky.content), 0)})
        (job,) = probe_sources(source, INGEST).values()
        table = job()
    assert table["reason"].to_pylist() == ["unreadable"]
    assert handler.downloads == handled_files.FETCH_ATTEMPTS
    assert PROVISIONAL_KEY.encode() in table.schema.metadata


def test_a_file_of_a_forbidden_protocol_is_reported(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("uri\nftp://host/a.mp4\nzip://a.mp4::s3://bucket/a.zip\n")
    (job,) = probe_sources(SourcesDataset(path=str(tmp_path / "list.csv")).load(), INGEST).values()
    assert job()["reason"].to_pylist() == ["forbidden_protocol"] * 2
