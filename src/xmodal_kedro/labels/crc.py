"""CRC-32 of many short texts at once."""

from __future__ import annotations

import zlib
from functools import lru_cache

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def crc32(texts: pa.Array) -> NDArray[np.int64]:
    """CRC-32 of each text as UTF-8, as `zlib.crc32` gives it; many times faster for texts of equal length.

    Args:
        texts: strings, none null.
    """
    length = _common_length(texts)
    if not length:
        return np.fromiter((zlib.crc32(text.encode()) for text in texts.to_pylist()), np.int64, len(texts))
    start = int(np.frombuffer(texts.buffers()[1], np.int32, 1, 4 * texts.offset)[0])
    byte_NL = np.frombuffer(texts.buffers()[2], np.uint8, len(texts) * length, start).reshape(-1, length)
    changes_LB = _changes(length)
    crc_N = np.full(len(texts), zlib.crc32(bytes(length)), np.uint32)
    for place in range(length):
        crc_N ^= changes_LB[place][byte_NL[:, place]]
    return crc_N.astype(np.int64)


def _common_length(texts: pa.Array) -> int:
    """Bytes of each text; 0 if they differ."""
    if not len(texts):
        return 0
    offsets = np.frombuffer(texts.buffers()[1], np.int32, len(texts) + 1, 4 * texts.offset)
    lengths = np.diff(offsets)
    return int(lengths[0]) if np.all(lengths == lengths[0]) else 0


@lru_cache(8)
def _changes(length: int) -> NDArray[np.uint32]:
    """What each value of each byte changes in the CRC of so many zeros [length, 256].

    A CRC is linear over bits: the changes of several bytes are combined by exclusive or.
    """
    zeros = zlib.crc32(bytes(length))
    changes = np.empty((length, 256), np.uint32)
    for place in range(length):
        before, after = bytes(place), bytes(length - place - 1)
        changes[place] = [zlib.crc32(before + bytes([value]) + after) ^ zeros for value in range(256)]
    return changes
