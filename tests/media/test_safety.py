"""Hostile files: whatever a file or its name tells its reader to open, nothing else is read and no host is called."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from tests.media.synthetic import CODINGS, write_media
from xmodal_kedro.handles import FileRef
from xmodal_kedro.media.container import MOST_PIXELS, SAFE_FORMATS, decode, find_stream, open_media, packets
from xmodal_kedro.media.probe import probe_row
from xmodal_kedro.params import IngestParams
from xmodal_kedro.reasons import MediaError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="inotify, which sees who reads a file, is Linux's")

IN_ACCESS, IN_OPEN = 0x1, 0x20
QUICKLY_S = 10.0


@dataclass
class Bait:
    """A file that must not be read, and a port that must not be called.

    Attributes:
        path: a media file; `reads` tells whether it was opened or read since the last time, under any name.
        port: of a listener on loopback.
    """

    path: Path
    port: int
    _notes: int
    _listener: socket.socket

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/film.ts"

    def reads(self) -> bool:
        with contextlib.suppress(BlockingIOError):
            return bool(os.read(self._notes, 65_536))
        return False

    def calls(self) -> bool:
        with contextlib.suppress(BlockingIOError):
            self._listener.accept()[0].close()
            return True
        return False


@pytest.fixture(scope="module")
def canary(tmp_path_factory) -> Path:
    return write_media(tmp_path_factory.mktemp("secrets") / "canary.ts", CODINGS[5], 1.0)


@pytest.fixture
def bait(canary) -> Iterator[Bait]:
    libc = ctypes.CDLL(None, use_errno=True)
    notes = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    assert libc.inotify_add_watch(notes, os.fsencode(canary), IN_ACCESS | IN_OPEN) > 0
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield Bait(canary, listener.getsockname()[1], notes, listener)
    os.close(notes)


def hls(*lines: str) -> str:
    return "\n".join(["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-TARGETDURATION:5", *lines, "#EXT-X-ENDLIST", ""])


def segment(address: object) -> str:
    return f"#EXTINF:1.0,\n{address}"


ID3 = b"ID3\x03\0\0\0\0\0\x15TIT2\0\0\0\x0b\0\0\0playlist!!"

MPD = """<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT1S"
profiles="urn:mpeg:dash:profile:isoff-main:2011" minBufferTime="PT1S"><Period><AdaptationSet mimeType="video/mp2t">
<Representation id="1" bandwidth="1"><BaseURL>{address}</BaseURL><SegmentBase/></Representation></AdaptationSet>
</Period></MPD>"""

SDP = """v=0
o=- 0 0 IN IP4 127.0.0.1
s=x
c=IN IP4 127.0.0.1
t=0 0
a=control:rtsp://127.0.0.1:{port}/
m=video {port} RTP/AVP 96
a=rtpmap:96 H264/90000
"""

TEXTS: dict[str, Callable[[Bait], str]] = {
    "http.m3u8": lambda bait: hls(segment(bait.url)),
    "file.m3u8": lambda bait: hls(segment(bait.path)),
    "url.m3u8": lambda bait: hls(segment(f"file://{bait.path}")),
    "key.m3u8": lambda bait: hls(f'#EXT-X-KEY:METHOD=AES-128,URI="{bait.url}"', segment(bait.path)),
    "map.m3u8": lambda bait: hls(f'#EXT-X-MAP:URI="{bait.path}"', segment(bait.url)),
    "master.m3u8": lambda bait: hls("#EXT-X-STREAM-INF:BANDWIDTH=1", bait.url),
    "concat.m3u8": lambda bait: hls(segment(f"concat:{bait.path}|{bait.url}")),
    "subfile.m3u8": lambda bait: hls(segment(f"subfile,,start,0,end,0,,:{bait.path}")),
    "crypto.m3u8": lambda bait: hls(segment(f"crypto:{bait.path}")),
    "playlist.mp4": lambda bait: hls(segment(bait.path)),
    "playlist.ts": lambda bait: hls(segment(bait.url)),
    "playlist.mkv": lambda bait: "\n\n" + hls(segment(bait.path)),
    "list.ffconcat": lambda bait: f"ffconcat version 1.0\nfile '{bait.path}'\n",
    "list.mp4": lambda bait: f"ffconcat version 1.0\nfile '{bait.url}'\n",
    "list.txt": lambda bait: f"file '{bait.path}'\n",
    "session.sdp": lambda bait: SDP.format(port=bait.port),
    "session.mov": lambda bait: SDP.format(port=bait.port),
    "http.mpd": lambda bait: MPD.format(address=bait.url),
    "file.mpd": lambda bait: MPD.format(address=bait.path),
    "film.mp4": lambda bait: MPD.format(address=bait.url),
    "list.asx": lambda bait: f'<asx version="3.0"><entry><ref href="{bait.url}"/></entry></asx>',
    "list.asf": lambda bait: f"[Reference]\nRef1={bait.url}?MSWMExt=.asf\n",
    "list.ram": lambda bait: f"{bait.url}\nfile://{bait.path}\n",
    "list.pls": lambda bait: f"[playlist]\nNumberOfEntries=1\nFile1={bait.url}\n",
    "list.xspf": lambda bait: (
        f"<playlist><trackList><track><location>{bait.url}</location></track></trackList></playlist>"
    ),
    "list.smil": lambda bait: f'<smil><body><video src="{bait.url}"/></body></smil>',
    "link.mov": lambda bait: f"RTSPtextrtsp://127.0.0.1:{bait.port}/film",
    "script.avs": lambda bait: f'DirectShowSource("{bait.path}")\n',
    "words.ass": lambda bait: (
        f"[Script Info]\nScriptType: v4.00+\n[Events]\nDialogue: 0,0:0:0,0:0:1,,,,,,,{bait.path}\n"
    ),
    "picture.svg": lambda bait: f'<svg xmlns="http://www.w3.org/2000/svg"><image href="file://{bait.path}"/></svg>',
}


def probe_quickly(path: Path, **params) -> dict:
    started = time.monotonic()
    row = probe_row(FileRef(path.name, str(path), path.stat().st_size, 0), IngestParams(audio_only=True, **params))
    assert time.monotonic() - started < QUICKLY_S
    return row


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


def boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and payload of each box of an MP4."""
    while content:
        size, kind = struct.unpack_from(">I4s", content)
        yield kind, content[8:size]
        content = content[size:]


def box(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(payload), kind) + payload


def with_reference(content: bytes, reference: bytes) -> bytes:
    """An MP4, its `moov` at the end, all of whose tracks say that their data is in another file (`dref`)."""
    parts = []
    for kind, payload in boxes(content):
        if kind == b"dref":
            payload = struct.pack(">II", 0, 1) + reference
        elif kind in {b"moov", b"trak", b"mdia", b"minf", b"dinf"}:
            payload = with_reference(payload, reference)
        parts.append(box(kind, payload))
    return b"".join(parts)


def alias_to(path: Path) -> bytes:
    """A QuickTime alias with an absolute path (record 2) and no relative one."""
    address = os.fsencode(path)
    address = b"/" * (len(address) % 2) + address
    records = struct.pack(">HH", 2, len(address)) + address + struct.pack(">HH", 0xFFFF, 0)
    return box(b"alis", bytes(4 + 150) + records)


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


def test_the_baits_are_taken_by_a_reader_without_our_limits(tmp_path, bait):
    """Otherwise none of the other tests would show anything."""
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
    assert MOST_PIXELS < 16_000**2

    with open_media(str(path)) as container:
        stream = find_stream(container.streams.video)
        sizes = [
            [(frame.width, frame.height) for frame in decode(stream, packet)] for packet in packets(container, stream)
        ]

    assert sizes == [[(96, 64)], [(96, 64)], [], *[[(96, 64)]] * 7]


def test_no_demuxer_on_the_list_opens_what_a_file_names_or_what_lies_beside_it():
    lists = {"hls", "dash", "concat", "sdp", "rtsp", "rtp", "sap", "imf", "webm_dash_manifest"}
    siblings = {"image2", "image2pipe", "vobsub", "mlv", "avisynth"}
    devices = {"lavfi", "fbdev", "alsa", "oss", "v4l2", "video4linux2", "x11grab", "kmsgrab"}

    assert not set(SAFE_FORMATS) & (lists | siblings | devices)
    assert set(SAFE_FORMATS) <= {name for names in av.formats_available for name in names.split(",")}
