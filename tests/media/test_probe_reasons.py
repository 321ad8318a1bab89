"""Probing sources: why some cannot be used."""

from __future__ import annotations

import os
import signal
import socket
import time

import av
import numpy as np
import pytest

from tests.fakes import folder_of
from tests.media import misbehaving
from tests.media.probing import MOV, PARAMS, edited, file_at, reason_of, row_of
from tests.media.synthetic import CODINGS, write_media
from xmodal_kedro.media import probe
from xmodal_kedro.media.container import open_media
from xmodal_kedro.media.probe import probe_row
from xmodal_kedro.media.sandbox.isolation import IsolationError
from xmodal_kedro.media.streams import SOUND_ALONE
from xmodal_kedro.params import IngestParams
from xmodal_kedro.reasons import REASONS, MediaError


def test_what_is_no_media_or_lacks_a_stream_has_a_reason(tmp_path):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "notes.txt").write_text("some text")
    write_media(tmp_path / "film.mp4", duration_s=1.0, sound=np.empty(0, np.float32))
    write_media(tmp_path / "radio.mp4", duration_s=1.0, pictures_s=0)

    assert reason_of(tmp_path / "empty.mp4") == "not_media"
    assert reason_of(tmp_path / "notes.txt") == "not_media"
    assert reason_of(tmp_path / "film.mp4") == "no_audio"
    assert reason_of(tmp_path / "radio.mp4", without_video="reject") == "no_picture"


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


def test_streams_of_unknown_codecs_have_a_reason(tmp_path):
    unseen = edited(write_media(tmp_path / "unseen.mov", MOV, 1.0), b"jpeg", b"zzzz")
    unheard = edited(write_media(tmp_path / "unheard.mov", MOV, 1.0), b"sowt", b"zzzz")

    assert reason_of(unseen, without_video="reject") == "unknown_codec"
    assert row_of(unseen).items() >= {"reason": "", **SOUND_ALONE}.items()
    assert reason_of(unheard) == "unknown_codec"


@pytest.mark.parametrize("coding", CODINGS, ids=lambda coding: coding.suffix)
def test_the_stump_of_a_media_file_is_corrupt_and_not_taken_for_something_else(tmp_path, coding):
    path = write_media(tmp_path / f"clock{coding.suffix}", coding, 1.0)
    os.truncate(path, 60)

    expected = "not_media" if coding.suffix == ".ts" else "corrupt"  # less than a packet of a transport stream
    assert reason_of(path) == expected


def test_a_header_without_packets_is_corrupt(tmp_path):
    path = write_media(tmp_path / "live.webm", CODINGS[3], 1.0, live=True)
    os.truncate(path, path.read_bytes().index(b"\x1f\x43\xb6\x75"))  # the first cluster

    assert reason_of(path) == "corrupt"


def test_what_is_no_regular_file_is_unreadable_and_no_decoder_is_asked(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "dangling.mp4").symlink_to(tmp_path / "gone.mp4")
    (tmp_path / "loop.mp4").symlink_to(tmp_path / "loop.mp4")
    (tmp_path / "device.mp4").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket.mp4"))

    monkeypatch.setattr(probe, "probe_file", misbehaving.crash_on)
    rows = {path.name: row_of(path) for path in tmp_path.iterdir()}
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


@pytest.mark.parametrize("address", ["tar://film.mp4", "zip://a.mp4::file:///etc/hosts", "github://a:b@c/d.mp4"])
def test_addresses_of_other_kinds_are_not_followed(address):
    assert probe_row(file_at(address), PARAMS)["reason"] == "forbidden_protocol"


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


def test_details_do_not_name_folders_of_this_machine(tmp_path):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "link.mp4").symlink_to(tmp_path / "gone.mp4")

    for path in tmp_path.iterdir():
        assert str(tmp_path) not in row_of(path)["detail"]


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


def test_every_real_hostile_file_ends_in_a_row_quickly_and_in_silence(real_data, capfd):
    folder = folder_of(real_data / "hostile")

    slowest_s = 0.0
    for file in folder.values():
        started = time.monotonic()
        row = probe_row(file, IngestParams())
        slowest_s = max(slowest_s, time.monotonic() - started)
        assert row["reason"] in {"", *REASONS}, file.name

    assert len(folder) > 100
    assert slowest_s < 10
    assert capfd.readouterr() == ("", "")
