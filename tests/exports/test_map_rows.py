"""Windows to look at: their sound is that which was embedded, and their number is bounded."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.exports.windows import windows
from tests.fakes import MemoryShard, folder_of
from tests.media.synthetic import CODINGS, write_media
from tests.tones import tone
from xmodal_kedro.exports.draw import share_of
from xmodal_kedro.exports.map_rows import cut, map_shard
from xmodal_kedro.media.probe import SourceFile
from xmodal_kedro.media.sound_file import sound_of_file
from xmodal_kedro.params import ExportMapParams
from xmodal_kedro.pipelines.export_map.nodes import export_map
from xmodal_kedro.schemas import MapWindows
from xmodal_kedro.storage import PROVISIONAL_KEY, Folder

PARAMS = ExportMapParams()


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    folder = tmp_path_factory.mktemp("recordings")
    write_media(folder / "film.mkv", CODINGS[0], 9.0)
    soundfile.write(folder / "sound.wav", tone(1000, 10.0, 1), 16_000)
    (folder / "notes.txt").write_text("no sound")
    return folder_of(folder)


@pytest.fixture(scope="module")
def embedded() -> MemoryShard:
    tags = {"dog": 0.9, "rain": 0.25}
    return windows({"film.mkv": [tags, {}], "sound.wav": [tags, {}], "notes.txt": [tags], "gone.wav": [tags]})


def rows_of(shard: MemoryShard, files: Folder, params: ExportMapParams = PARAMS) -> tuple[list[dict[str, Any]], Any]:
    sources = {name: SourceFile(file) for name, file in files.items()}
    tables = list(map_shard(shard, 1.0, sources, params))
    whole = pa.concat_tables(table.replace_schema_metadata(None) for table in tables)
    MapWindows.validate(whole.to_pandas())
    return whole.to_pylist(), tables[-1].schema.metadata


@pytest.fixture(scope="module")
def rows(embedded: MemoryShard, recordings: Folder) -> list[dict[str, Any]]:
    return rows_of(embedded, recordings)[0]


def test_each_window_has_its_tags_and_embedding(rows: list[dict[str, Any]]) -> None:
    assert [(row["uri"], row["start_s"], row["label"], row["tags"]) for row in rows] == [
        ("film.mkv", 0.0, "dog", "dog 0.90, rain 0.25"),
        ("film.mkv", 4.0, "untagged", ""),
        ("gone.wav", 0.0, "dog", "dog 0.90, rain 0.25"),
        ("notes.txt", 0.0, "dog", "dog 0.90, rain 0.25"),
        ("sound.wav", 0.0, "dog", "dog 0.90, rain 0.25"),
        ("sound.wav", 4.0, "untagged", ""),
    ]
    assert rows[1]["embedding"] == [0.5, 1.0]


def test_the_sound_is_that_of_the_recording_at_that_time(rows: list[dict[str, Any]], recordings: Folder) -> None:
    for row in rows:
        if row["uri"] in ("film.mkv", "sound.wav"):
            whole = np.concatenate(list(sound_of_file(recordings[row["uri"]].path)))
            samples, rate = soundfile.read(io.BytesIO(row["audio"]["bytes"]), dtype="int16")
            start = round(row["start_s"] * rate)
            assert rate == 16_000 and np.array_equal(samples, whole[start : start + 64_000])


def test_a_film_shows_a_frame_and_sound_alone_its_spectrogram(rows: list[dict[str, Any]]) -> None:
    kinds = {(row["uri"], row["image"]["path"]) for row in rows if row["image"]}
    assert kinds == {("film.mkv", "frame.jpg"), ("sound.wav", "spectrogram.png")}
    for row in rows:
        if row["image"]:
            image = cv2.imdecode(np.frombuffer(row["image"]["bytes"], np.uint8), cv2.IMREAD_COLOR)
            assert max(image.shape[:2]) <= PARAMS.thumbnail_px and len(row["image"]["bytes"]) < 40_000


def test_a_recording_that_is_gone_or_no_media_has_its_rows_without_sound(rows: list[dict[str, Any]]) -> None:
    assert [(row["audio"], row["image"]) for row in rows if row["uri"] in ("notes.txt", "gone.wav")] == [
        (None, None)
    ] * 2


def test_sound_and_pictures_can_be_left_out(embedded: MemoryShard, recordings: Folder) -> None:
    plain = rows_of(embedded, recordings, ExportMapParams(sound=False, thumbnails=False))[0]
    assert {(row["audio"], row["image"]) for row in plain} == {(None, None)}
    quiet = rows_of(embedded, recordings, ExportMapParams(sound=False))[0]
    assert {row["uri"] for row in quiet if row["image"]} == {"film.mkv", "sound.wav"}
    assert not any(row["audio"] for row in quiet)


def test_a_file_that_storage_does_not_give_is_tried_again(embedded: MemoryShard, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "sound.wav", tone(1000, 10.0, 1), 16_000)
    files = folder_of(tmp_path)
    assert PROVISIONAL_KEY.encode() not in (rows_of(embedded, files)[1] or {})
    (tmp_path / "sound.wav").unlink()
    found, metadata = rows_of(embedded, files)
    assert PROVISIONAL_KEY.encode() in metadata and not any(row["audio"] for row in found)


@given(st.integers(1, 60), st.integers(0, 9))
def test_no_more_windows_are_drawn_than_asked_for_and_nearly_as_many(max_rows: int, seed: int) -> None:
    shards = [windows({f"{at}.wav": [{}] * 8}) for at in range(5)]
    share = share_of(shards, seed, max_rows)
    drawn = sum(sum(map(len, map_shard(shard, share, {}, ExportMapParams(seed=seed)))) for shard in shards)
    assert drawn <= max_rows
    assert share == 1.0 or share_of(shards, seed, 40) == 1.0


def test_a_window_stays_drawn_when_others_come() -> None:
    def drawn(count: int, share: float) -> set[float]:
        (table, *_) = map_shard(windows({"a.wav": [{}] * count}), share, {}, PARAMS)
        return {start_s for start_s in table["start_s"].to_pylist() if start_s < 160}

    assert drawn(40, 0.5) == drawn(60, 0.5) < drawn(60, 0.7)
    assert share_of([], 0, 5) == 1.0


def test_a_job_reads_only_the_recordings_of_its_shard(recordings: Folder) -> None:
    shards = {"shard-0": windows({}), "shard-1": windows({})}
    jobs = export_map(shards, recordings, PARAMS)
    divided = [set(job.args[2]) for job in jobs.values()]  # type: ignore[attr-defined]
    assert divided[0] | divided[1] == set(recordings) and not divided[0] & divided[1]


@given(
    st.lists(st.integers(0, 9), max_size=12),
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 12)), max_size=8),
)
def test_parts_are_cut_as_from_the_whole(lengths: list[int], spans: list[tuple[int, int]]) -> None:
    whole = np.arange(sum(lengths), dtype=np.int16)
    pieces: list[NDArray[np.int16]] = np.split(whole, np.cumsum(lengths)[:-1]) if lengths else []
    wanted = sorted((start, start + length) for start, length in spans)
    found = list(cut(pieces, wanted))
    assert [part.tolist() for part in found] == [whole[start:end].tolist() for start, end in wanted]
