"""A file that must not be read, a port that must not be called, and texts that instruct their reader to do both."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from xmodal_kedro.media.probe import probe_row
from xmodal_kedro.params import IngestParams
from xmodal_kedro.storage import FileRef

QUICKLY_S = 10.0


@dataclass
class Bait:
    """A file that must not be read, and a port that must not be called.

    Attributes:
        path: a media file; `reads` returns whether it was opened or read since the last time, under any name.
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
    row = probe_row(FileRef(path.name, str(path), path.stat().st_size, 0), IngestParams(**params))
    assert time.monotonic() - started < QUICKLY_S
    return row
