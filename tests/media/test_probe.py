"""Probing sources: their metadata."""

from __future__ import annotations

import hashlib
from fractions import Fraction

import av
import fsspec
import pytest
from av.stream import Disposition

from tests.fakes import folder_of
from tests.media.probing import PARAMS, file_at, reason_of, row_of, with_declared_duration
from tests.media.synthetic import CODINGS, RATE_HZ, Frames, beeps, write_media
from xmodal_kedro.media.container import declared_duration_s, open_media
from xmodal_kedro.media.probe import SourceFile, probe_row, probe_shard
from xmodal_kedro.media.streams import SOUND_ALONE
from xmodal_kedro.schemas import Probes
from xmodal_kedro.storage import PROVISIONAL_KEY


@pytest.mark.parametrize("coding", CODINGS, ids=lambda coding: coding.suffix)
def test_streams_are_described(tmp_path, coding):
    path = write_media(tmp_path / f"clock{coding.suffix}", coding, 4.0)

    row = probe_row(folder_of(tmp_path)[path.name], PARAMS)

    assert row["reason"] == ""
    assert row["video_id"] == hashlib.sha256(path.read_bytes()).hexdigest()[:32]
    assert row["uri"] == path.name
    assert row["size_bytes"] == path.stat().st_size
    assert row["duration_s"] == pytest.approx(4.0, abs=0.15)
    assert row["fps"] == pytest.approx(10.0, abs=0.5)
    assert (row["width"], row["height"], row["rotation_deg"]) == (96, 64, 0)
    assert (row["sample_rate_hz"], row["channels"]) == (
        RATE_HZ if coding.suffix != ".flv" else row["sample_rate_hz"],
        1,
    )


def test_rotation_is_read_from_the_display_matrix(tmp_path):
    for rotation_deg in (90, 180, 270):
        write_media(tmp_path / f"{rotation_deg}.mp4", duration_s=1.0, frames=Frames(rotation_deg=rotation_deg))

    folder = folder_of(tmp_path)

    assert {name: probe_row(folder[name], PARAMS)["rotation_deg"] for name in folder} == {
        "90.mp4": 90,
        "180.mp4": 180,
        "270.mp4": 270,
    }


def test_recordings_of_sound_alone_are_used_unless_they_are_rejected(tmp_path):
    radio = write_media(tmp_path / "radio.mp4", duration_s=2.0, pictures_s=0)
    film = write_media(tmp_path / "film.mp4", duration_s=2.0)

    row = row_of(radio)

    assert row["reason"] == ""
    assert row.items() >= SOUND_ALONE.items()
    assert (row["audio_codec"], row["channels"]) == ("aac", 1)
    assert row_of(film, without_video="reject") == row_of(film)
    assert reason_of(radio, without_video="reject") == "no_picture"


def test_a_cover_is_no_picture(tmp_path):
    path = tmp_path / "song.mp3"
    with av.open(str(path), "w") as container:
        audio = container.add_stream("libmp3lame", rate=RATE_HZ, layout="mono")
        cover = container.add_stream("mjpeg", rate=1, width=32, height=32, pix_fmt="yuvj420p")
        cover.disposition = Disposition.attached_pic
        picture = av.VideoFrame(32, 32, "yuvj420p")
        picture.pts = 0
        container.mux(cover.encode(picture) + cover.encode(None))
        sound = av.AudioFrame.from_ndarray(beeps(2.0)[None], format="flt", layout="mono")
        sound.sample_rate, sound.pts, sound.time_base = RATE_HZ, 0, Fraction(1, RATE_HZ)
        container.mux(audio.encode(sound) + audio.encode(None))

    assert reason_of(path, without_video="reject") == "no_picture"
    assert row_of(path).items() >= {"reason": "", **SOUND_ALONE}.items()


def test_remote_files_are_fetched_and_give_the_same_row(tmp_path):
    path = write_media(tmp_path / "clock.mp4", duration_s=1.0)
    fsspec.filesystem("memory").pipe_file("/probe/clock.mp4", path.read_bytes())

    assert probe_row(file_at("memory://probe/clock.mp4", 0), PARAMS) == row_of(path)
    assert probe_row(file_at("memory://probe/gone.mp4"), PARAMS)["reason"] == "unreadable"


@pytest.mark.parametrize(
    "name", ["a::b.mp4", "memory::b.mp4", "http:b.mp4", "-i.mp4", "%03d.mp4", "a b\nc.mp4", "\udcff.mp4"]
)
def test_a_local_name_is_just_a_name(tmp_path, monkeypatch, name):
    path = write_media(tmp_path / "clock.mp4", duration_s=1.0).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)

    assert reason_of(path) == ""
    with open_media(name) as container:
        assert container.streams.video


def test_duration_is_measured_where_the_header_has_none(tmp_path):
    path = write_media(tmp_path / "live.webm", CODINGS[3], 3.0, live=True)

    with open_media(str(path)) as container:
        assert declared_duration_s(container) == 0
    assert row_of(path)["duration_s"] == pytest.approx(3.0, abs=0.15)


def test_a_header_that_boasts_does_not_cost_the_file(tmp_path):
    path = with_declared_duration(write_media(tmp_path / "clock.mkv", CODINGS[2], 3.0), 1e9)

    with open_media(str(path)) as container:
        assert declared_duration_s(container) > PARAMS.max_duration_s
    assert row_of(path)["duration_s"] == pytest.approx(3.0, abs=0.15)
    assert reason_of(path, max_duration_s=2.0) == "too_long"


def test_a_shard_has_one_row_for_every_source(tmp_path):
    write_media(tmp_path / "clock.mp4", duration_s=1.0)
    (tmp_path / "notes.txt").write_text("some text")

    table = probe_shard(tuple(SourceFile(file) for file in folder_of(tmp_path).values()), PARAMS)

    Probes.validate(table.to_pandas())
    assert table["uri"].to_pylist() == ["clock.mp4", "notes.txt"]
    assert table["reason"].to_pylist() == ["", "not_media"]
    assert not table.schema.metadata


def test_a_shard_with_a_source_that_storage_did_not_give_is_provisional(tmp_path):
    sources = SourceFile(file_at(tmp_path / "gone.mp4")), SourceFile(file_at("memory://gone/clock.mp4"))

    table = probe_shard(sources, PARAMS)

    assert table.schema.metadata == {PROVISIONAL_KEY.encode(): b"2 to be tried again"}


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".ts"])
def test_a_clock_that_starts_late_makes_a_file_no_longer(tmp_path, suffix):
    coding = next(coding for coding in CODINGS if coding.suffix == suffix)
    path = write_media(tmp_path / f"late{suffix}", coding, 4.0, sound_starts_s=1000.0, frames=Frames(start_s=1000.0))

    assert row_of(path)["duration_s"] == pytest.approx(4.0, abs=0.2)
