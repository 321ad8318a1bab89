"""WAV headers that FFmpeg misreads: of recorders that lost power, and of samples in more bytes than they need."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import NamedTuple

EXTENSIBLE, PCM = 0xFFFE, 1
"""Tags of formats in the chunk `fmt `."""

EXTENSIBLE_BYTES, VALID_BITS_AT = 40, 18
"""Min size of that chunk with the extensible tag, and where in it the number of valid bits is."""

MIN_REST_BYTES = 4096
"""Less than this after the last chunk is not audio."""


def has_stale_size(descriptor: int) -> bool:
    """Whether a WAV file goes on after the end of its samples that its header states, with something that is no chunk.

    Args:
        descriptor: of an open file of any kind.
    """
    head = os.pread(descriptor, 12, 0)
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        return False
    end = os.fstat(descriptor).st_size
    at, after_data = 12, False
    while at + 8 <= end:
        name, size = struct.unpack("<4sI", os.pread(descriptor, 8, at))
        is_chunk = all(32 <= byte < 127 for byte in name) and at + 8 + size <= end + 1
        if after_data and not is_chunk:
            rest = os.pread(descriptor, MIN_REST_BYTES, at)
            return end - at >= MIN_REST_BYTES and any(rest)
        if size in (0, 0xFFFFFFFF) or not is_chunk:  # FFmpeg reads such samples to the end
            return False
        after_data = after_data or name == b"data"
        at += 8 + size + size % 2
    return False


class Patch(NamedTuple):
    """Bytes to be read in place of those of a file."""

    at: int
    content: bytes


def header_patch(descriptor: int) -> Patch | None:
    """What makes FFmpeg read integers of fewer bits than their bytes hold, such as 24 bits in 32; None if nothing.

    It takes the number of valid bits for that of the bits, and 24 in 32 for the floats of an old editor.

    Args:
        descriptor: of an open file of any kind.
    """
    head = os.pread(descriptor, 12, 0)
    if head[:4] not in (b"RIFF", b"RF64", b"BW64") or head[8:12] != b"WAVE":
        return None
    for name, at, size in _chunks(descriptor):
        if name == b"fmt " and size >= EXTENSIBLE_BYTES:
            tag, bits, valid, sub_tag = struct.unpack("<H12xH2xH4xH", os.pread(descriptor, 26, at))
            fewer = tag == EXTENSIBLE and sub_tag == PCM and bits in (24, 32) and 0 < valid < bits
            return (
                Patch(at + VALID_BITS_AT, struct.pack("<H", bits)) if fewer and (valid + 7) // 8 < bits // 8 else None
            )
        if name in (b"fmt ", b"data"):
            return None
    return None


def _chunks(descriptor: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, place and size of each chunk's content."""
    at = 12
    while len(header := os.pread(descriptor, 8, at)) == 8:
        name, size = struct.unpack("<4sI", header)
        yield name, at + 8, size
        at += 8 + size + size % 2
