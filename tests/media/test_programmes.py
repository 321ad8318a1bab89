"""Of broadcasts with several programmes, the sound is that of the picture."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import av
import numpy as np
import pytest

from xmodal_kedro.media.streams import probe_file
from xmodal_kedro.params import IngestParams

PACKET, FIRST_PID, MAP_PID = 188, 0x100, 0x1000
TYPES = {"video": 2, "audio": 3}  # MPEG-2 video, MPEG-1 audio: ISO/IEC 13818-1, table 2-34


def crc32_mpeg(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc >> 31 else 0)) & 0xFFFFFFFF
    return crc


def section(pid: int, table: int, number: int, body: bytes) -> bytes:
    """A packet that holds one table of programmes (ISO/IEC 13818-1, section 2.4.4)."""
    whole = struct.pack(">BHHBBB", table, 0xB000 | (len(body) + 9), number, 0xC1, 0, 0) + body
    whole += struct.pack(">I", crc32_mpeg(whole))
    return (struct.pack(">BHBB", 0x47, 0x4000 | pid, 0x10, 0) + whole).ljust(PACKET, b"\xff")


def tables(programmes: Sequence[Sequence[int]], kinds: Sequence[str]) -> Iterator[bytes]:
    """The tables that say which streams belong together."""
    yield section(0, 0, 1, b"".join(struct.pack(">HH", n + 1, 0xE000 | (MAP_PID + n)) for n in range(len(programmes))))
    for number, streams in enumerate(programmes):
        listed = b"".join(
            struct.pack(">BHH", TYPES[kinds[index]], 0xE000 | (FIRST_PID + index), 0xF000) for index in streams
        )
        clock = struct.pack(">HH", 0xE000 | (FIRST_PID + streams[0]), 0xF000)
        yield section(MAP_PID + number, 2, number + 1, clock + listed)


def write_programmes(path: Path, kinds: Sequence[str], programmes: Sequence[Sequence[int]]) -> Path:
    """A transport stream of one programme, whose tables are exchanged for those of several."""
    memory = io.BytesIO()
    with av.open(memory, "w", format="mpegts") as container:
        streams = [
            container.add_stream("mpeg2video", rate=25, width=96, height=64, pix_fmt="yuv420p")
            if kind == "video"
            else container.add_stream("mp2", rate=48_000, layout="mono")
            for kind in kinds
        ]
        packets = [packet for number, stream in enumerate(streams) for packet in encoded(stream, number)]
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            container.mux(packet)
    data = memory.getvalue()
    media = [data[at : at + PACKET] for at in range(0, len(data), PACKET)]
    media = [packet for packet in media if FIRST_PID <= (packet[1] & 0x1F) << 8 | packet[2] < FIRST_PID + len(kinds)]
    path.write_bytes(b"".join([*tables(programmes, kinds), *media]))
    return path


def encoded(stream: av.VideoStream | av.AudioStream, number: int) -> Iterable[av.Packet]:
    """4 s of grey, or of noise that is another in each stream."""
    if isinstance(stream, av.VideoStream):
        frames = [av.VideoFrame.from_ndarray(np.full((96, 96), 90, np.uint8), format="yuv420p") for _ in range(100)]
        for at, frame in enumerate(frames):
            frame.pts = at
    else:
        noise = np.random.default_rng(number).integers(-3000, 3000, (1, 4 * 48_000), np.int16)
        frames = [av.AudioFrame.from_ndarray(noise, format="s16", layout="mono")]
        frames[0].sample_rate, frames[0].pts = 48_000, 0
    return [packet for frame in [*frames, None] for packet in stream.encode(frame)]


@pytest.mark.parametrize(
    ("kinds", "programmes", "used"),
    [
        (("audio", "video", "audio"), [(0,), (1, 2)], (1, 2)),
        (("video", "audio", "video", "audio"), [(0, 1), (2, 3)], (0, 1)),
        (("video", "audio", "video", "audio"), [(0, 3), (2, 1)], (0, 3)),
        (("video", "video", "audio"), [(0,), (1, 2)], (1, 2)),
        (("audio", "audio"), [(0,), (1,)], (-1, 0)),
        (("video", "audio"), [(0,), (1,)], (0, 1)),
        (("video", "audio", "audio"), [(0, 1, 2)], (0, 1, 2)),
    ],
    ids=["radio first", "two", "crossed", "pictures alone first", "radio", "apart", "one of two tracks"],
)
def test_picture_and_sound_are_of_one_programme(tmp_path, kinds, programmes, used):
    path = write_programmes(tmp_path / "a.ts", kinds, programmes)

    (row,) = probe_file(str(path), IngestParams())

    with av.open(str(path)) as container:
        numbers = {str(stream.index): stream.id - FIRST_PID for stream in container.streams}
    assert [numbers[index] for index in str(row["audio_track"]).split("+")] == list(used[1:])
    assert numbers.get(str(row["video_track"]), -1) == used[0]
