"""MP4 files, taken apart and put together by their boxes."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path


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
