"""Whether a Matroska or WebM file is as long as its header states, in bytes (RFC 9559)."""

from __future__ import annotations

from typing import IO

from xmodal_kedro.media.file_views import bytes_at, size_of

EBML, SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
MAX_SIZE_BYTES = 8


def is_whole(file: IO[bytes]) -> bool:
    """Whether the segment of a file states its size and no byte of it is missing."""
    head = bytes_at(file, 0, 4 + MAX_SIZE_BYTES)
    if head[:4] != EBML:
        return False
    size, length = _size(head[4:])
    if size is None:
        return False
    at = 4 + length + size
    segment = bytes_at(file, at, 4 + MAX_SIZE_BYTES)
    size, length = _size(segment[4:])
    return segment[:4] == SEGMENT and size is not None and at + 4 + length + size <= size_of(file)


def _size(data: bytes) -> tuple[int | None, int]:
    """A size and the number of bytes it takes (RFC 8794, section 4); None if it is not known or is none."""
    if not data or not data[0]:
        return None, 0
    length = MAX_SIZE_BYTES + 1 - data[0].bit_length()
    value = int.from_bytes(data[:length], "big") & ((1 << 7 * length) - 1)
    return (None if value == (1 << 7 * length) - 1 or len(data) < length else value), length
