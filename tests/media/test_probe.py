"""Probing sources: what they hold, and why some cannot be used."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import struct
import time
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import fsspec
import numpy as np
import pytest
from av.stream import Disposition

from tests.fakes import folder_of
from tests.media import misbehaving
from tests.media.synthetic import CODINGS, RATE_HZ, beeps, write_media
from xmodal_kedro.handles import PROVISIONAL_KEY, FileRef
from xmodal_kedro.media import probe
from xmodal_kedro.media.container import Packets, declared_duration_s, open_media, packets
from xmodal_kedro.media.isolation import IsolationError
from xmodal_kedro.media.probe import Source, probe_row, probe_shard
from xmodal_kedro.media.streams import SOUND_ALONE
from xmodal_kedro.params import IngestParams
from xmodal_kedro.reasons import REASONS, MediaError
from xmodal_kedro.schemas import Probes

PARAMS = IngestParams()
MOV = CODINGS[1]


def file_at(path: Path | str, size_bytes: int = 1) -> FileRef:
    return FileRef(str(path).rpartition("/")[2], str(path), size_bytes, 0)


def row_of(path: Path, **params) -> dict:
    return probe_row(file_at(path), IngestParams(**params))


def reason_of(path: Path, **params) -> str:
    return row_of(path, **params)["reason"]


def edited(path: Path, old: bytes, new: bytes) -> Path:
    """Replace the only occurrence of some bytes in a file by as many others."""
    content = path.read_bytes()
    assert content.count(old) == 1
    assert len(old) == len(new)
    path.write_bytes(content.replace(old, new))
    return path


def with_declared_duration(path: Path, duration_ms: float) -> Path:
    """Write another duration into the header of a Matroska file (element 0x4489, a float of 8 bytes)."""
    content = bytearray(path.read_bytes())
    struct.pack_into(">d", content, content.index(b"\x44\x89\x88") + 3, duration_ms)
    path.write_bytes(content)
    return path


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
        write_media(tmp_path / f"{rotation_deg}.mp4", duration_s=1.0, rotation_deg=rotation_deg)

    folder = folder_of(tmp_path)

    assert {name: probe_row(folder[name], PARAMS)["rotation_deg"] for name in folder} == {
        "90.mp4": 90,
        "180.mp4": 180,
        "270.mp4": 270,
    }


def test_what_is_no_media_or_lacks_a_stream_has_a_reason(tmp_path):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "notes.txt").write_text("some text")
    write_media(tmp_path / "film.mp4", duration_s=1.0, sound=np.empty(0, np.float32))
    write_media(tmp_path / "radio.mp4", duration_s=1.0, pictures_s=0)

    assert reason_of(tmp_path / "empty.mp4") == "not_media"
    assert reason_of(tmp_path / "notes.txt") == "not_media"
    assert reason_of(tmp_path / "film.mp4") == "no_audio"
    assert reason_of(tmp_path / "radio.mp4") == "no_picture"


def test_limits_have_reasons_that_name_them(tmp_path):
    path = write_media(tmp_path / "clock.mp4", duration_s=3.0)

    for params, reason in (
        ({"max_duration_s": 2.0}, "too_long"),
        ({"max_streams": 1}, "too_many_streams"),
        ({"max_pixels": 96 * 64 - 1}, "too_many_pixels"),
        ({"max_size_gb": (path.stat().st_size - 1) / 1e9}, "too_many_bytes"),
        ({"timeout_s": 1e-9, "slowest_mb_per_s": 1e9}, "timed_out"),
    ):
        row = row_of(path, **params)
        assert row["reason"] == reason
        if reason != "timed_out":
            assert f"ingest.{next(iter(params))}" in row["detail"]
    assert reason_of(path, max_duration_s=4.0, max_streams=2, max_pixels=96 * 64) == ""


def test_a_file_that_is_listed_as_too_large_is_not_touched():
    assert probe_row(file_at("memory://gone/film.mp4", 10**12), PARAMS)["reason"] == "too_many_bytes"


def test_recordings_of_sound_alone_are_used_where_they_are_asked_for(tmp_path):
    radio = write_media(tmp_path / "radio.mp4", duration_s=2.0, pictures_s=0)
    film = write_media(tmp_path / "film.mp4", duration_s=2.0)

    row = row_of(radio, audio_only=True)

    assert row["reason"] == ""
    assert row.items() >= SOUND_ALONE.items()
    assert (row["audio_codec"], row["channels"]) == ("aac", 1)
    assert row_of(film, audio_only=True) == row_of(film)


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

    assert reason_of(path) == "no_picture"
    assert row_of(path, audio_only=True).items() >= {"reason": "", **SOUND_ALONE}.items()


def test_streams_of_unknown_codecs_have_a_reason(tmp_path):
    unseen = edited(write_media(tmp_path / "unseen.mov", MOV, 1.0), b"jpeg", b"zzzz")
    unheard = edited(write_media(tmp_path / "unheard.mov", MOV, 1.0), b"sowt", b"zzzz")

    assert reason_of(unseen) == "unknown_codec"
    assert reason_of(unheard) == "unknown_codec"
    assert reason_of(unheard, audio_only=True) == "unknown_codec"
    assert row_of(unseen, audio_only=True).items() >= {"reason": "", **SOUND_ALONE}.items()


@pytest.mark.parametrize("coding", CODINGS, ids=lambda coding: coding.suffix)
def test_the_stump_of_a_media_file_is_corrupt_and_not_taken_for_something_else(tmp_path, coding):
    path = write_media(tmp_path / f"clock{coding.suffix}", coding, 1.0)
    os.truncate(path, 60)

    expected = "not_media" if coding.suffix == ".ts" else "corrupt"  # of a transport stream, that is less than a packet
    assert reason_of(path) == expected


def test_a_header_without_packets_is_corrupt(tmp_path):
    path = write_media(tmp_path / "live.webm", CODINGS[3], 1.0, live=True)
    os.truncate(path, path.read_bytes().index(b"\x1f\x43\xb6\x75"))  # the first cluster

    assert reason_of(path) == "corrupt"


def test_what_is_no_regular_file_is_unreadable_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "dangling.mp4").symlink_to(tmp_path / "gone.mp4")
    (tmp_path / "loop.mp4").symlink_to(tmp_path / "loop.mp4")
    (tmp_path / "device.mp4").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket.mp4"))

    started = time.monotonic()
    rows = {path.name: row_of(path) for path in tmp_path.iterdir()}
    assert time.monotonic() - started < 2
    assert {name: row["reason"] for name, row in rows.items()} == dict.fromkeys(rows, "unreadable")
    assert len(rows) == 6
    for path in tmp_path.iterdir():
        with pytest.raises(MediaError, match="unreadable"), open_media(str(path)):
            pass


def test_a_file_that_has_gone_is_unreadable(tmp_path):
    path = write_media(tmp_path / "clock.mp4", duration_s=1.0)
    folder = folder_of(tmp_path)
    path.unlink()

    assert probe_row(folder["clock.mp4"], PARAMS)["reason"] == "unreadable"


def test_a_file_that_may_not_be_read_is_unreadable(tmp_path, monkeypatch):
    path = write_media(tmp_path / "clock.mp4", duration_s=1.0)

    def refuse(*_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(probe, "sha256_of", refuse)

    assert (row_of(path)["reason"], row_of(path)["detail"]) == ("unreadable", "Permission denied")


def test_remote_files_are_fetched_and_give_the_same_row(tmp_path):
    path = write_media(tmp_path / "clock.mp4", duration_s=1.0)
    fsspec.filesystem("memory").pipe_file("/probe/clock.mp4", path.read_bytes())

    assert probe_row(file_at("memory://probe/clock.mp4", 0), PARAMS) == row_of(path)
    assert probe_row(file_at("memory://probe/gone.mp4"), PARAMS)["reason"] == "unreadable"


@pytest.mark.parametrize("address", ["tar://film.mp4", "zip://a.mp4::file:///etc/hosts", "github://a:b@c/d.mp4"])
def test_addresses_of_other_kinds_are_not_followed(address):
    assert probe_row(file_at(address), PARAMS)["reason"] == "forbidden_protocol"


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


def test_crashes_and_hangs_are_reasons(tmp_path, monkeypatch):
    path = write_media(tmp_path / "clock.mp4", duration_s=1.0)

    monkeypatch.setattr(probe, "probe_file", misbehaving.crash_on)
    assert (row_of(path)["reason"], row_of(path)["detail"]) == ("crashed", "signal 11 (SIGSEGV)")
    monkeypatch.setattr(probe, "probe_file", misbehaving.hang_on)
    assert reason_of(path, timeout_s=0.3) == "timed_out"
    monkeypatch.undo()
    assert reason_of(path) == ""


def test_an_unforeseen_error_of_a_decoder_costs_its_file_alone(tmp_path, monkeypatch, caplog):
    path = write_media(tmp_path / "clock.mp4", duration_s=1.0)
    monkeypatch.setattr(probe, "probe_file", misbehaving.fail_on)

    assert (row_of(path)["reason"], row_of(path)["detail"]) == ("corrupt", "ValueError: a value is wrong")
    assert "misbehaving.py" in caplog.text


def test_an_interruption_is_not_held_against_the_file(tmp_path, monkeypatch):
    path = write_media(tmp_path / "clock.mp4", duration_s=1.0)
    monkeypatch.setattr(probe, "probe_file", misbehaving.be_interrupted_on)

    with pytest.raises(IsolationError, match=signal.SIGTERM.name):
        row_of(path)


def test_a_shard_has_one_row_for_every_source(tmp_path):
    write_media(tmp_path / "clock.mp4", duration_s=1.0)
    (tmp_path / "notes.txt").write_text("some text")

    table = probe_shard(tuple(Source(file) for file in folder_of(tmp_path).values()), PARAMS)

    Probes.validate(table.to_pandas())
    assert table["uri"].to_pylist() == ["clock.mp4", "notes.txt"]
    assert table["reason"].to_pylist() == ["", "not_media"]
    assert not table.schema.metadata


def test_a_shard_with_a_source_that_storage_did_not_give_is_provisional(tmp_path):
    sources = Source(file_at(tmp_path / "gone.mp4")), Source(file_at("memory://gone/clock.mp4"))

    table = probe_shard(sources, PARAMS)

    assert table.schema.metadata == {PROVISIONAL_KEY.encode(): b"2 to be tried again"}


def test_details_do_not_name_folders_of_this_machine(tmp_path):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "link.mp4").symlink_to(tmp_path / "gone.mp4")

    for path in tmp_path.iterdir():
        assert str(tmp_path) not in row_of(path)["detail"]


@pytest.mark.parametrize("path", ["memory://gone/clock.mp4", "/gone/clock.mp4"])
def test_opening_what_has_gone_names_the_reason_but_not_the_place(path):
    with pytest.raises(MediaError) as error, open_media(path):
        pass

    assert (error.value.reason, error.value.detail) == ("unreadable", "No such file or directory")


def test_demuxing_that_ends_by_an_error_says_so(tmp_path):
    path = write_media(tmp_path / "clock.mp4", duration_s=2.0)

    with open_media(str(path)) as container:
        whole = packets(container, *container.streams)
        assert all(packet.size for packet in whole)
        assert whole.broke_off == ""

    def break_off():
        with open_media(str(path)) as container:
            yield next(container.demux())
        raise av.error.InvalidDataError(1, "Invalid data found")

    broken = type(whole)(break_off)
    assert len(list(broken)) == 1
    assert broken.broke_off == "Invalid data found"


def test_a_stream_that_begins_half_way_ends_nothing():
    packets_left = iter([1, 0, 1])

    def demux():
        for known in packets_left:
            if not known:
                raise IndexError("list index out of range")
            yield SimpleNamespace(size=1)

    read = Packets(demux)
    assert len(list(read)) == 2
    assert read.broke_off == ""


def test_pictures_larger_than_ffmpeg_may_decode_are_too_many_pixels(tmp_path):
    path = tmp_path / "huge.mkv"
    with av.open(str(path), "w") as container:
        video = container.add_stream("mjpeg", rate=1, width=8193, height=8193, pix_fmt="yuvj420p")
        audio = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        container.mux(video.encode(av.VideoFrame(8193, 8193, "yuvj420p")))
        sound = av.AudioFrame.from_ndarray(np.ones((1, 32_000), np.int16), format="s16", layout="mono")
        sound.sample_rate = 8000
        container.mux(audio.encode(sound))
        container.mux(video.encode(None))

    assert reason_of(path) == "too_many_pixels"


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".ts"])
def test_a_clock_that_starts_late_makes_a_file_no_longer(tmp_path, suffix):
    coding = next(coding for coding in CODINGS if coding.suffix == suffix)
    path = write_media(tmp_path / f"late{suffix}", coding, 4.0, sound_starts_s=1000.0, pictures_start_s=1000.0)

    assert row_of(path)["duration_s"] == pytest.approx(4.0, abs=0.2)


def test_every_real_hostile_file_ends_in_a_row_quickly_and_in_silence(real_data, capfd):
    folder = folder_of(real_data / "hostile")

    slowest_s = 0.0
    for file in folder.values():
        started = time.monotonic()
        row = probe_row(file, IngestParams(audio_only=True))
        slowest_s = max(slowest_s, time.monotonic() - started)
        assert row["reason"] in {"", *REASONS}, file.name

    assert len(folder) > 100
    assert slowest_s < 10
    assert capfd.readouterr() == ("", "")
