"""A shard of clips: a bad file affects only itself, and every outcome is reported."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest

from tests.fakes import folder_of
from tests.media import fake_clipper
from tests.media.fake_clipper import write_orders
from tests.media.synthetic import write_media
from xmodal_kedro.media import clip_shard as clip_shard_module
from xmodal_kedro.media.clip_rows import StreamUse
from xmodal_kedro.media.clip_shard import CLIPS_AT_A_TIME, VideoSource, clip_shard, estimated_bytes
from xmodal_kedro.media.sandbox.isolation import IsolationError
from xmodal_kedro.params import ClipParams
from xmodal_kedro.schemas import CLIPS_ARROW, Clips, CutShortVideos, UnclippedVideos
from xmodal_kedro.storage import PROVISIONAL_KEY, FileRef

PARAMS = ClipParams(timeout_s=20.0)
USE = StreamUse("1", "1*c0", 1, 0)


@pytest.fixture
def orders(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clipper follows the instructions in its file."""
    monkeypatch.setattr(clip_shard_module, "clip_file", fake_clipper.clip_file)


def sources_of(root: Path) -> tuple[VideoSource, ...]:
    files = folder_of(root)
    return tuple(
        VideoSource(f"{index:032x}", name, file, file.size_bytes, USE)
        for index, (name, file) in enumerate(files.items())
    )


def made(sources: tuple[VideoSource, ...], params: ClipParams = PARAMS) -> tuple[pa.Table, dict[str, str]]:
    """All clips of a shard, and its metadata."""
    tables = list(clip_shard(sources, params))
    metadata = {key.decode(): value.decode() for key, value in tables[-1].schema.metadata.items()}
    clips = pa.concat_tables(table.replace_schema_metadata(None) for table in tables)
    Clips.validate(clips.to_pandas())
    return clips, metadata


def outcomes(metadata: dict[str, str], key: str) -> dict[str, tuple[str, str]]:
    """Reason and detail by name."""
    return {row["uri"]: (row["reason"], row["detail"]) for row in json.loads(metadata[key])}


@pytest.mark.usefixtures("orders")
def test_every_way_in_which_a_file_fails_costs_that_file_alone(tmp_path: Path) -> None:
    write_orders(tmp_path / "a", clips=2)
    write_orders(tmp_path / "b-crash", end="crash")
    write_orders(tmp_path / "c-crash-later", clips=3, end="crash")
    write_orders(tmp_path / "d-wrong", end="wrong", detail="a bug")
    write_orders(tmp_path / "e-wrong-later", clips=1, end="wrong", detail="a bug")
    write_orders(tmp_path / "f-silent", end="silent", detail="-80 dBFS")
    write_orders(tmp_path / "g-cut-short", clips=1, end="cut_short", detail="its end is missing")
    write_orders(tmp_path / "h", clips=1)

    clips, metadata = made(sources_of(tmp_path))

    per_source = [list(clips["video_id"].to_pylist()).count(f"{index:032x}") for index in range(8)]
    assert per_source == [2, 0, 3, 0, 1, 0, 1, 1]
    unclipped, cut_short = outcomes(metadata, "unclipped"), outcomes(metadata, "cut_short")
    assert {name: reason for name, (reason, _) in unclipped.items()} == {
        "b-crash": "crashed",
        "d-wrong": "corrupt",
        "f-silent": "silent",
    }
    assert {name: reason for name, (reason, _) in cut_short.items()} == {
        "c-crash-later": "crashed",
        "e-wrong-later": "corrupt",
        "g-cut-short": "corrupt",
    }
    assert unclipped["f-silent"][1] == "-80 dBFS"
    assert "a bug" in unclipped["d-wrong"][1]
    assert (metadata["silent_spans"], metadata["unseen_spans"]) == ("2", "4")
    assert PROVISIONAL_KEY not in metadata
    UnclippedVideos.validate(pa.Table.from_pylist(json.loads(metadata["unclipped"])).to_pandas())
    CutShortVideos.validate(pa.Table.from_pylist(json.loads(metadata["cut_short"])).to_pandas())


@pytest.mark.usefixtures("orders")
def test_a_file_that_hangs_ends_at_its_limit_and_keeps_what_it_gave(tmp_path: Path) -> None:
    write_orders(tmp_path / "a-hang", end="hang")
    write_orders(tmp_path / "b-hang-later", clips=2, end="hang")
    write_orders(tmp_path / "c", clips=1)
    started = time.monotonic()

    clips, metadata = made(sources_of(tmp_path), ClipParams(timeout_s=2.0))

    assert time.monotonic() - started < 60
    assert clips.num_rows == 3
    assert outcomes(metadata, "unclipped")["a-hang"][0] == "timed_out"
    assert outcomes(metadata, "cut_short")["b-hang-later"][0] == "timed_out"


@pytest.mark.usefixtures("orders")
def test_clips_come_in_tables_of_bounded_length(tmp_path: Path) -> None:
    write_orders(tmp_path / "a", clips=CLIPS_AT_A_TIME - 1)
    write_orders(tmp_path / "b", clips=CLIPS_AT_A_TIME + 2)

    tables = clip_shard(sources_of(tmp_path), PARAMS)

    assert next(tables).num_rows == CLIPS_AT_A_TIME
    assert [table.num_rows for table in tables] == [CLIPS_AT_A_TIME, 1]


@pytest.mark.usefixtures("orders")
def test_a_recording_of_sound_alone_has_clips_without_frames(tmp_path: Path) -> None:
    file = folder_of(write_orders(tmp_path / "a", clips=2).parent).file("a")

    clips, _ = made((VideoSource("0" * 32, "a", file, file.size_bytes, USE._replace(video_track=-1)),))

    assert clips["frames"].to_pylist() == [[], []]


@pytest.mark.usefixtures("orders")
def test_a_file_that_is_another_one_than_was_probed_is_not_cut(tmp_path: Path) -> None:
    file = folder_of(write_orders(tmp_path / "a", clips=2).parent).file("a")

    clips, metadata = made((VideoSource("0" * 32, "a", file, file.size_bytes + 1, USE),))

    assert clips.num_rows == 0
    assert json.loads(metadata["unclipped"])[0]["reason"] == "unreadable"
    assert PROVISIONAL_KEY in metadata


@dataclass(frozen=True)
class Unfetched(FileRef):
    """A file that cannot be fetched."""

    @contextmanager
    def fetched(self) -> Iterator[str]:
        raise TimeoutError(110, "the store does not answer", self.path)
        yield ""


@pytest.mark.usefixtures("orders")
def test_a_file_that_storage_does_not_give_makes_the_shard_provisional(tmp_path: Path) -> None:
    write_orders(tmp_path / "a", clips=1)
    (here,) = sources_of(tmp_path)
    away = VideoSource("1" * 32, "away", Unfetched("away", "s3://bucket/away", 1, 0), 1, USE)
    gone = VideoSource("2" * 32, "gone", None, 1, USE)

    clips, metadata = made((here, away, gone))

    assert clips.num_rows == 1
    assert outcomes(metadata, "unclipped") == {
        "away": ("unreadable", "the store does not answer"),
        "gone": ("unreadable", "it is no longer among the sources: run ingest again"),
    }
    assert metadata[PROVISIONAL_KEY] == "2 to be tried again"


def test_a_decoder_process_that_cannot_be_had_fails_the_shard_and_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_args: object, **_options: object) -> Iterator[object]:
        raise IsolationError("the decoder process does not start")

    monkeypatch.setattr(clip_shard_module, "isolated", refused)
    write_orders(tmp_path / "a", clips=1)

    with pytest.raises(IsolationError):
        list(clip_shard(sources_of(tmp_path), PARAMS))


def test_no_recordings_make_an_empty_table_with_metadata() -> None:
    clips, metadata = made(())

    assert clips.num_rows == 0
    assert clips.schema == CLIPS_ARROW
    assert metadata == {"unclipped": "[]", "cut_short": "[]", "silent_spans": "0", "unseen_spans": "0"}


def test_real_files_are_cut_twice_alike(tmp_path: Path) -> None:
    write_media(tmp_path / "a.mp4", duration_s=9.0)
    write_media(tmp_path / "b.mp4", duration_s=1.0)
    (tmp_path / "c.mp4").write_bytes((tmp_path / "a.mp4").read_bytes()[:3000])

    clips, metadata = made(sources_of(tmp_path))

    assert set(clips["video_id"].to_pylist()) == {"0" * 32}
    assert set(outcomes(metadata, "unclipped")) == {"b.mp4", "c.mp4"}
    assert outcomes(metadata, "unclipped")["b.mp4"][0] == "too_short"
    assert made(sources_of(tmp_path)) == (clips, metadata)


def test_pictures_count_in_the_estimate_of_bytes_where_there_are_any() -> None:
    params = ClipParams(target_s=4.0, frames_per_clip=2)
    assert estimated_bytes(100.0, sound_only=True, params=params) == 100 * 32_000
    assert estimated_bytes(100.0, sound_only=False, params=params) == 100 * (32_000 + 10_000)
