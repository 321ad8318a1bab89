"""What FFmpeg's reader gets wrong about the clocks of fragmented MP4 files: from their boxes (ISO/IEC 14496-12).

Composition offsets may be negative, as in CMAF (ISO/IEC 23000-19), so that the first frame is shown at its decoding
time. FFmpeg adds the largest negative one that it has met to all presentation times of the track. And without an edit
list, the samples with which AAC encoders begin are presented like any other.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

import numpy as np

from xmodal_kedro.media.container import open_file
from xmodal_kedro.media.file_views import size_of

MAX_BOX_BYTES = 64_000_000
"""Larger `moov` and `moof` boxes are not read."""

MAX_FRAGMENTS = 64
"""Composition offsets of later fragments are taken to be no larger."""

AAC_PRIMING_SAMPLES = 1024
"""The least with which an AAC encoder begins, a frame; those of FFmpeg and of some others begin with just this."""

AT_ONCE_S = 0.001
"""Frames that begin within this of zero begin at zero."""

EVER = -(1 << 62)
"""Before any decoding time."""

CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"moof", b"traf"}


@dataclass
class Track:
    """A track as its boxes describe it.

    Attributes:
        handler: `vide`, `soun` or another.
        timescale: units of its clock per second.
        has_edits: whether there is an edit list.
        is_aac: whether its samples are AAC.
        start: presentation time of its first sample, in its units; None before that. If that sample lasts longer than
            the second, the writer has moved the others: then it is the time that fits to theirs.
        late: decoding times from which FFmpeg's presentation times are late, and by how much, ascending, in its units.
    """

    handler: bytes = b""
    timescale: int = 0
    has_edits: bool = False
    is_aac: bool = False
    start: int | None = None
    late: list[tuple[int, int]] = field(default_factory=list)

    def meet(self, decoding_time: int, durations: np.ndarray, offsets: np.ndarray) -> None:
        """Take in a run of samples from that decoding time on: durations, if stated, and composition offsets."""
        since = decoding_time
        if offsets.size and self.start is None:
            moved = int(durations[0] - durations[1]) if durations.size > 1 else 0
            self.start = decoding_time + int(offsets[0]) + max(moved, 0)
            since = EVER
        late = -int(offsets.min(initial=0))
        if late > (self.late[-1][1] if self.late else 0):
            self.late.append((since, late))


@dataclass(frozen=True)
class Shifts:
    """How late FFmpeg's times are, by the number of a track in its file (`stream.id`)."""

    tracks: dict[int, Track]

    def frame_s(self, track_id: int, decoding_s: float) -> float:
        """What to subtract from the presentation time of a packet of video, given its decoding time, seconds."""
        track = self.tracks.get(track_id)
        if not track or not track.late or not track.timescale:
            return 0.0
        return (
            max((late for time, late in track.late if time <= decoding_s * track.timescale), default=0)
            / track.timescale
        )

    def sound_s(self, track_id: int) -> float:
        """What to subtract from the times of a track of sound, seconds.

        It is the encoder's delay where nothing else states it: AAC without an edit list that begins at zero, with
        frames that begin at zero too. Writers that moved all tracks, or broadcasts, begin later.
        """
        sound = self.tracks.get(track_id)
        pictures = [track for track in self.tracks.values() if track.handler == b"vide" and track.start is not None]
        if not sound or not sound.is_aac or sound.has_edits or sound.start != 0 or not pictures:
            return 0.0
        if any(abs(track.start or 0) > AT_ONCE_S * track.timescale for track in pictures):
            return 0.0
        return AAC_PRIMING_SAMPLES / sound.timescale if sound.timescale else 0.0


def read_shifts(path: str) -> Shifts:
    """How late FFmpeg's times of an MP4 file are. Only boxes that describe media are read, none that hold them.

    Args:
        path: a local path or an fsspec URL. Of a file that is no MP4, or is broken, nothing is late.
    """
    tracks: dict[int, Track] = {}
    fragmented = False
    fragments = 0
    try:
        with open_file(path) as file:
            for kind, payload in _described(file):
                if kind == b"moov":
                    fragmented = b"mvex" in dict(_boxes(payload))
                    tracks |= dict(_read_track(trak) for name, trak in _boxes(payload) if name == b"trak")
                elif fragmented:
                    fragments += 1
                    for name, traf in _boxes(payload):
                        if name == b"traf":
                            _read_fragment(traf, tracks)
                    if fragments == MAX_FRAGMENTS:
                        break
    except (OSError, struct.error, ValueError, KeyError, IndexError):
        return Shifts({} if not fragments else tracks)
    return Shifts(tracks)


def _described(file: IO[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Kind and payload of each `moov` and `moof` of a file."""
    end = size_of(file)
    at = 0
    while at + 8 <= end:
        file.seek(at)
        header = file.read(16)
        size, kind = struct.unpack_from(">I4s", header)
        start = at + 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", header, 8)
            start = at + 16
        size = size or end - at
        if size < start - at or not all(32 <= byte < 127 or byte == 169 for byte in kind):
            return
        if kind in (b"moov", b"moof") and size <= MAX_BOX_BYTES:
            file.seek(start)
            yield kind, file.read(at + size - start)
        at += size


def _boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and payload of each box in a box."""
    at = 0
    while at + 8 <= len(content):
        size, kind = struct.unpack_from(">I4s", content, at)
        if size < 8:
            return
        yield kind, content[at + 8 : at + size]
        at += size


def _nested(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and payload of each box in a box, and in those that contain others."""
    for kind, payload in _boxes(content):
        if kind in CONTAINERS:
            yield from _nested(payload)
        else:
            yield kind, payload


def _read_track(trak: bytes) -> tuple[int, Track]:
    """Number and description of a track."""
    boxes = dict(_nested(trak))
    (track_id,) = struct.unpack_from(">I", boxes[b"tkhd"], 20 if boxes[b"tkhd"][0] else 12)
    (timescale,) = struct.unpack_from(">I", boxes[b"mdhd"], 20 if boxes[b"mdhd"][0] else 12)
    track = Track(boxes[b"hdlr"][8:12], timescale, has_edits=b"elst" in boxes, is_aac=boxes[b"stsd"][12:16] == b"mp4a")
    return track_id, track


def _read_fragment(traf: bytes, tracks: dict[int, Track]) -> None:
    """Take in the samples of a track in a fragment."""
    decoding_time = 0
    track = Track()
    for kind, payload in _boxes(traf):
        if kind == b"tfhd":
            track = tracks[struct.unpack_from(">I", payload, 4)[0]]
        elif kind == b"tfdt":
            (decoding_time,) = struct.unpack_from(">Q" if payload[0] else ">I", payload, 4)
        elif kind == b"trun":
            track.meet(decoding_time, _column(payload, 0x100), _column(payload, 0x800))


def _column(trun: bytes, wanted: int) -> np.ndarray:
    """Durations (0x100) or composition offsets (0x800) of a run, int64 [samples]: zeros if they are not there."""
    flags, count = struct.unpack_from(">II", trun)
    columns = [bit for bit in (0x100, 0x200, 0x400, 0x800) if flags & bit]
    if wanted not in columns:
        return np.zeros(min(count, 2), np.int64)
    start = 8 + 4 * bool(flags & 0x1) + 4 * bool(flags & 0x4)
    values = np.frombuffer(trun, ">i4", (len(trun) - start) // 4, start)
    whole = min(count, values.size // len(columns))
    rows = values[: whole * len(columns)].reshape(whole, len(columns))
    column: np.ndarray = rows[:, columns.index(wanted)].astype(np.int64)
    return column
