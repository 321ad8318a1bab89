"""WAV files whose header was not brought up to date, as recorders leave them that lose power."""

from __future__ import annotations

import os
import struct

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
