"""Probing sources: what they hold, and why some cannot be used."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from tests.fakes import folder_of
from tests.media.synthetic import CODINGS, RATE_HZ, write_media
from xmodal_kedro.media.container import MediaError, open_media
from xmodal_kedro.media.probe import Source, declared_duration_s, probe_row, probe_shard
from xmodal_kedro.params import IngestParams
from xmodal_kedro.schemas import Probes

PARAMS = IngestParams()


def reason_of(folder, name: str, params: IngestParams = PARAMS) -> str:
    return probe_row(folder_of(folder)[name], params)["reason"]


@pytest.mark.parametrize("coding", CODINGS, ids=lambda coding: coding.suffix)
def test_streams_are_described(tmp_path, coding):
    path = write_media(tmp_path / f"clock{coding.suffix}", coding, 4.0)

    row = probe_row(folder_of(tmp_path)[path.name], PARAMS)

    assert row["reason"] == ""
    assert row["video_id"] == hashlib.sha256(path.read_bytes()).hexdigest()[:32]
    assert row["uri"] == path.name
    assert row["duration_s"] == pytest.approx(4.0, abs=0.15)
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


def test_what_cannot_be_used_has_a_reason(tmp_path):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "notes.txt").write_text("some text")
    write_media(tmp_path / "film.mp4", duration_s=1.0, sound=np.empty(0, np.float32))
    write_media(tmp_path / "radio.mp4", duration_s=1.0, pictures_s=0)
    write_media(tmp_path / "long.mp4", duration_s=3.0)

    assert reason_of(tmp_path, "empty.mp4") == "not_media"
    assert reason_of(tmp_path, "notes.txt") == "not_media"
    assert reason_of(tmp_path, "film.mp4") == "no_audio"
    assert reason_of(tmp_path, "radio.mp4") == "no_picture"
    assert reason_of(tmp_path, "long.mp4", IngestParams(max_duration_s=2.0)) == "too_long"


def test_a_file_that_has_gone_is_unreadable(tmp_path):
    path = write_media(tmp_path / "clock.mp4", duration_s=1.0)
    folder = folder_of(tmp_path)
    path.unlink()

    assert probe_row(folder["clock.mp4"], PARAMS)["reason"] == "unreadable"


@pytest.mark.parametrize("path", ["memory://gone/clock.mp4", "/gone/clock.mp4"])
def test_opening_what_has_gone_names_the_reason_but_not_the_place(path):
    with pytest.raises(MediaError) as error, open_media(path):
        pass

    assert (error.value.reason, error.value.detail) == ("unreadable", "No such file or directory")


@pytest.mark.parametrize("name", ["a::b.mp4", "memory::b.mp4", "http:b.mp4"])
def test_a_local_name_with_colons_is_no_address(tmp_path, monkeypatch, name):
    write_media(tmp_path / "clock.mp4", duration_s=1.0).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)

    for path in (name, str(tmp_path / name)):
        with open_media(path) as container:
            assert container.streams.video


PLAYLISTS = {
    "list.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{secret}\n#EXT-X-ENDLIST\n",
    "list.mp4": "ffconcat version 1.0\nfile '{secret}'\n",
    "list.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
}


@pytest.mark.parametrize("name", PLAYLISTS)
def test_a_playlist_does_not_open_what_it_names(tmp_path, name):
    secret = write_media(tmp_path / "secret.mp4", duration_s=1.0)
    folder = tmp_path / "sources"
    folder.mkdir()
    (folder / name).write_text(PLAYLISTS[name].format(secret=secret))

    assert reason_of(folder, name) == "forbidden_format"


def test_duration_is_measured_where_the_header_has_none(tmp_path):
    path = write_media(tmp_path / "live.webm", CODINGS[3], 3.0, live=True)

    with open_media(str(path)) as container:
        assert declared_duration_s(container) == 0
    assert probe_row(folder_of(tmp_path)["live.webm"], PARAMS)["duration_s"] == pytest.approx(3.0, abs=0.15)


def test_a_shard_has_one_row_for_every_source(tmp_path):
    write_media(tmp_path / "clock.mp4", duration_s=1.0)
    (tmp_path / "notes.txt").write_text("some text")

    table = probe_shard(tuple(Source(file) for file in folder_of(tmp_path).values()), PARAMS)

    Probes.validate(table.to_pandas())
    assert table["uri"].to_pylist() == ["clock.mp4", "notes.txt"]
    assert table["reason"].to_pylist() == ["", "not_media"]


def test_details_do_not_name_folders_of_this_machine(tmp_path):
    (tmp_path / "empty.mp4").touch()

    assert str(tmp_path) not in probe_row(folder_of(tmp_path)["empty.mp4"], PARAMS)["detail"]


def test_opening_names_the_reason(tmp_path):
    with pytest.raises(MediaError) as error, open_media(str(tmp_path)):
        pass

    assert error.value.reason == "unreadable"
