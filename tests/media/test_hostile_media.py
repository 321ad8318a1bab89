"""Hostile media: references are not opened, and excessive content is not decoded."""

from __future__ import annotations

import contextlib
import struct

import av
import numpy as np
import pytest

from tests.media.baits import probe_quickly
from tests.media.boxes import alias_to, box, with_reference
from tests.media.synthetic import CODINGS, write_media
from xmodal_kedro.media.container import MAX_PIXELS, decode, open_media, packets, prepared_video
from xmodal_kedro.reasons import MediaError


def test_a_movie_whose_data_is_elsewhere_does_not_open_it(tmp_path, bait):
    whole = write_media(tmp_path / "whole.mov", CODINGS[1], 1.0).read_bytes()
    references = {
        "alias.mov": alias_to(bait.path),
        "url.mov": box(b"url ", bytes(4) + bait.url.encode() + b"\0"),
        "file.mov": box(b"url ", bytes(4) + f"file://{bait.path}".encode() + b"\0"),
    }
    for name, reference in references.items():
        (tmp_path / name).write_bytes(with_reference(whole, reference))
    link = box(b"rdrf", bytes(4) + struct.pack(">4sI", b"url ", len(bait.url)) + bait.url.encode())
    (tmp_path / "link.mov").write_bytes(
        box(b"ftyp", b"qt  \0\0\0\0qt  ") + box(b"moov", box(b"rmra", box(b"rmda", link)))
    )

    for name in (*references, "link.mov"):
        row = probe_quickly(tmp_path / name)
        assert row["reason"] in {"", "corrupt"}, name
        with contextlib.suppress(MediaError), open_media(str(tmp_path / name)) as container:
            assert sum(packet.size for packet in container.demux()) <= len(whole)
    assert not bait.reads()
    assert not bait.calls()


@pytest.mark.parametrize("coding", [CODINGS[1], CODINGS[2], CODINGS[4]], ids=lambda coding: coding.suffix)
def test_addresses_in_metadata_are_not_followed(tmp_path, bait, coding):
    plain = write_media(tmp_path / f"plain{coding.suffix}", coding, 1.0)
    path = tmp_path / f"film{coding.suffix}"
    with av.open(str(plain)) as source, av.open(str(path), "w") as target:
        target.metadata.update({"title": f"file://{bait.path}", "artist": bait.url, "comment": f"@{bait.path}"})
        streams = {stream.index: target.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.size:
                packet.stream = streams[packet.stream.index]
                target.mux(packet)

    assert probe_quickly(path)["reason"] == ""
    assert not bait.reads()
    assert not bait.calls()


@pytest.mark.parametrize("coding", [CODINGS[1], CODINGS[2], CODINGS[5]], ids=lambda coding: coding.suffix)
def test_content_and_not_the_name_says_what_a_file_is(tmp_path, coding):
    path = write_media(tmp_path / f"film{coding.suffix}", coding, 1.0)

    for name in ("film.m3u8", "film.ffconcat", "film.sdp", "film.txt", "film"):
        path = path.rename(tmp_path / name)
        assert probe_quickly(path)["reason"] == "", name


def test_too_many_streams_are_refused_before_anything_is_decoded(tmp_path):
    path = tmp_path / "many.mkv"
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("pcm_s16le", rate=8000, layout="mono") for _ in range(300)]
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 80), np.int16), format="s16", layout="mono")
        sound.sample_rate, sound.pts = 8000, 0
        for stream in streams:
            container.mux(stream.encode(sound))

    row = probe_quickly(path)

    assert (row["reason"], row["detail"]) == ("too_many_streams", "it has 300, ingest.max_streams is 32")


def test_pictures_that_grow_beyond_measure_within_a_stream_are_not_decoded(tmp_path):
    path = write_media(tmp_path / "film.mov", CODINGS[1], 1.0)
    content = bytearray(path.read_bytes())
    header = b"\xff\xc0\x00\x11\x08"  # of a JPEG's frame: height and width follow
    third = content.index(header, content.index(header, content.index(header) + 1) + 1) + len(header)
    assert struct.unpack_from(">HH", content, third) == (64, 96)
    struct.pack_into(">HH", content, third, 16_000, 16_000)
    path.write_bytes(content)
    assert MAX_PIXELS < 16_000**2

    with open_media(str(path)) as container:
        stream = prepared_video(container, 0)
        sizes = [
            [(frame.width, frame.height) for frame in decode(stream, packet)] for packet in packets(container, stream)
        ]

    assert sizes == [[(96, 64)], [(96, 64)], [], *[[(96, 64)]] * 7]
