"""Hostile texts and names: whatever they refer to, no other file is read and no host is called."""

from __future__ import annotations

import contextlib
import os

import av
import cv2
import numpy as np
import pytest

from tests.media.baits import ID3, TEXTS, hls, probe_quickly
from tests.media.boxes import alias_to, with_reference
from tests.media.synthetic import CODINGS, write_media
from xmodal_kedro.media.container import SAFE_FORMATS, open_media
from xmodal_kedro.reasons import MediaError


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_that_names_files_and_hosts_is_refused(tmp_path, bait, name):
    path = tmp_path / name
    path.write_text(TEXTS[name](bait))

    row = probe_quickly(path)

    assert row["reason"] in {"forbidden_format", "not_media"}
    assert not bait.reads()
    assert not bait.calls()


def test_lists_in_lists_and_lists_in_disguise_are_refused(tmp_path, bait):
    inner = tmp_path / "inner.m3u8"
    inner.write_text(TEXTS["file.m3u8"](bait))
    outer = tmp_path / "outer.m3u8"
    outer.write_text(hls("#EXT-X-STREAM-INF:BANDWIDTH=1", inner.name))
    tagged = tmp_path / "tagged.mp3"
    tagged.write_bytes(ID3 + TEXTS["file.m3u8"](bait).encode())
    marked = tmp_path / "marked.mp4"
    marked.write_bytes(b"\xef\xbb\xbf" + TEXTS["http.m3u8"](bait).encode())

    reasons = {path.name: probe_quickly(path)["reason"] for path in (outer, tagged, marked)}
    assert set(reasons.values()) <= {"forbidden_format", "not_media", "corrupt"}
    assert not bait.reads()
    assert not bait.calls()


def test_the_baits_are_taken_by_a_reader_without_our_limits(tmp_path, bait):
    """Without this, the other tests would prove nothing."""
    playlist, call, alias = (tmp_path / name for name in ("file.m3u8", "http.m3u8", "alias.mov"))
    playlist.write_text(TEXTS["file.m3u8"](bait))
    call.write_text(TEXTS["http.m3u8"](bait))
    whole = write_media(tmp_path / "whole.mov", CODINGS[1], 1.0).read_bytes()
    alias.write_bytes(with_reference(whole, alias_to(bait.path)))
    assert not bait.reads()

    with av.open(str(playlist)):
        assert bait.reads()
    with contextlib.suppress(av.FFmpegError):
        av.open(str(call), timeout=0.5, options={"protocol_whitelist": "file,http,tcp"})
    assert bait.calls()
    av.open(str(alias), container_options={"enable_drefs": "1", "use_absolute_path": "1"}).close()
    assert bait.reads()


def test_even_a_demuxer_that_follows_references_could_open_nothing(tmp_path, bait, monkeypatch):
    everything = sorted(av.formats_available)
    monkeypatch.setattr("xmodal_kedro.media.container.SAFE_FORMATS", everything)

    for name, text in TEXTS.items():
        path = tmp_path / name
        path.write_text(text(bait))
        with contextlib.suppress(MediaError), open_media(str(path)) as container:
            list(container.demux())
    assert not bait.reads()
    assert not bait.calls()


def test_siblings_of_a_file_are_not_looked_for(tmp_path, bait):
    (tmp_path / "film.idx").write_text("# VobSub index file, v7 (do not modify this line!)\nid: en, index: 0\n")
    numbered = tmp_path / "%03d.jpg"
    numbered.write_bytes(cv2.imencode(".jpg", np.zeros((64, 64, 3), np.uint8))[1].tobytes())
    for name in ("film.sub", "film.ts", "000.jpg", "001.jpg"):
        os.link(bait.path, tmp_path / name)

    for path in (tmp_path / "film.idx", numbered):
        assert probe_quickly(path)["reason"] in {"forbidden_format", "not_media"}
    assert not bait.reads()


@pytest.mark.parametrize(
    "name",
    [
        "concat:canary.ts|canary.ts",
        "subfile,,start,0,end,0,,:canary.ts",
        "crypto:canary.ts",
        "cache:canary.ts",
        "async:canary.ts",
        "file:canary.ts",
        "fd:",
        "data:text;base64,AAAA",
        "http:127.0.0.1:{port}",
        "tcp:127.0.0.1:{port}",
        "-i canary.ts",
        "canary.t[s]",
    ],
)
def test_a_name_is_never_taken_for_an_instruction(tmp_path, bait, monkeypatch, name):
    path = tmp_path / name.format(port=bait.port)
    path.write_text("some text")
    os.link(bait.path, tmp_path / "canary.ts")
    monkeypatch.chdir(tmp_path)

    assert probe_quickly(path)["reason"] == "not_media"
    with pytest.raises(MediaError), open_media(path.name):
        pass
    assert not bait.reads()
    assert not bait.calls()


def test_no_demuxer_on_the_list_opens_what_a_file_names_or_what_lies_beside_it():
    lists = {"hls", "dash", "concat", "sdp", "rtsp", "rtp", "sap", "imf", "webm_dash_manifest"}
    siblings = {"image2", "image2pipe", "vobsub", "mlv", "avisynth"}
    devices = {"lavfi", "fbdev", "alsa", "oss", "v4l2", "video4linux2", "x11grab", "kmsgrab"}

    assert not set(SAFE_FORMATS) & (lists | siblings | devices)
    assert set(SAFE_FORMATS) <= {name for names in av.formats_available for name in names.split(",")}
