"""WAV headers that FFmpeg misreads: of recorders that lost power, of samples in more bytes than they need, of sound
fields."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import IO

from xmodal_kedro.media.file_views import Patch, bytes_at, size_of

EXTENSIBLE, PCM = 0xFFFE, 1
"""Tags of formats in the chunk `fmt `."""

EXTENSIBLE_BYTES, VALID_BITS_AT, SUBTYPE_AT = 40, 18, 24
"""Min size of that chunk with the extensible tag, and where in it the number of valid bits and the subtype are."""

B_FORMAT = bytes.fromhex("2107d3118644c8c1ca000000")
"""Last 12 bytes of the subtypes of Ambisonic B-format: Dobson, "The AMB Ambisonic File Format" (2001)."""

MIN_REST_BYTES = 4096
"""Less than this after the last chunk is not audio."""

KINDS = (b"RIFF", b"RF64", b"BW64")


def is_wav(file: IO[bytes], kinds: tuple[bytes, ...] = KINDS) -> bool:
    """Whether a file is WAV by its first bytes."""
    head = bytes_at(file, 0, 12)
    return head[:4] in kinds and head[8:12] == b"WAVE"


def has_stale_size(file: IO[bytes]) -> bool:
    """Whether a WAV file goes on after the end of its samples that its header states, with something that is no
    chunk."""
    if not is_wav(file, (b"RIFF",)):
        return False
    end = size_of(file)
    at, after_data = 12, False
    while at + 8 <= end:
        name, size = struct.unpack("<4sI", bytes_at(file, at, 8))
        is_chunk = all(32 <= byte < 127 for byte in name) and at + 8 + size <= end + 1
        if after_data and not is_chunk:
            rest = bytes_at(file, at, MIN_REST_BYTES)
            return end - at >= MIN_REST_BYTES and any(rest)
        if size in (0, 0xFFFFFFFF) or not is_chunk:  # FFmpeg reads such samples to the end
            return False
        after_data = after_data or name == b"data"
        at += 8 + size + size % 2
    return False


def header_patches(file: IO[bytes]) -> list[Patch]:
    """What makes FFmpeg read integers of fewer bits than their bytes hold, such as 24 bits in 32.

    It takes the number of valid bits for that of the bits, and 24 in 32 for the floats of an old editor.
    """
    found = _extensible(file)
    if found is None:
        return []
    at, layout = found
    tag, bits, valid, sub_tag = struct.unpack("<H12xH2xH4xH", layout[:26])
    fewer = tag == EXTENSIBLE and sub_tag == PCM and bits in (24, 32) and 0 < valid < bits
    return [Patch(at + VALID_BITS_AT, struct.pack("<H", bits))] if fewer and (valid + 7) // 8 < bits // 8 else []


def is_b_format(file: IO[bytes]) -> bool:
    """Whether the channels of a WAV file are W, X, Y, Z and so on of an Ambisonic sound field."""
    found = _extensible(file)
    return found is not None and found[1][SUBTYPE_AT + 4 : SUBTYPE_AT + 16] == B_FORMAT


def _extensible(file: IO[bytes]) -> tuple[int, bytes] | None:
    """Place and content of the chunk `fmt ` of a WAV file; None if it is short, or there is none before the samples."""
    if not is_wav(file):
        return None
    for name, at, size in _chunks(file):
        if name == b"fmt " and size >= EXTENSIBLE_BYTES:
            return at, bytes_at(file, at, EXTENSIBLE_BYTES)
        if name in (b"fmt ", b"data"):
            return None
    return None


def _chunks(file: IO[bytes]) -> Iterator[tuple[bytes, int, int]]:
    """Name, place and size of each chunk's content."""
    at = 12
    while len(header := bytes_at(file, at, 8)) == 8:
        name, size = struct.unpack("<4sI", header)
        yield name, at + 8, size
        at += 8 + size + size % 2
