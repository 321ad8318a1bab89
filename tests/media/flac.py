"""FLAC files of samples as they are, without prediction, whose header may say anything (RFC 9639)."""

from __future__ import annotations

import numpy as np

BLOCK = 4096


def write_flac(audio_TC: np.ndarray, rate_hz: int, bits: int, total: int | None = None, head: bytes = b"") -> bytes:
    """A FLAC file.

    Args:
        audio_TC: integers of so many bits [samples, channels].
        total: number of samples in the header, in place of the true one.
        head: more metadata blocks.
    """
    count, channels = audio_TC.shape
    stated = (rate_hz << 44) | ((channels - 1) << 41) | ((bits - 1) << 36) | (count if total is None else total)
    info = BLOCK.to_bytes(2, "big") * 2 + bytes(6) + stated.to_bytes(8, "big") + bytes(16)
    frames = [_frame(audio_TC[at : at + BLOCK], at // BLOCK, bits) for at in range(0, count, BLOCK)]
    return b"fLaC" + bytes([0 if head else 0x80, 0, 0, len(info)]) + info + head + b"".join(frames)


def _frame(part_TC: np.ndarray, number: int, bits: int) -> bytes:
    count, channels = part_TC.shape
    head = b"\xff\xf8" + bytes([0x70, (channels - 1) << 4]) + chr(number).encode() + (count - 1).to_bytes(2, "big")
    head += bytes([_crc(head, 0x07, 8)])
    body = b"".join(
        b"\x02" + part_TC[:, at].astype(">i4").view("u1").reshape(count, 4)[:, 4 - bits // 8 :].tobytes()
        for at in range(channels)
    )
    return head + body + _crc(head + body, 0x8005, 16).to_bytes(2, "big")


def _table(polynomial: int, width: int) -> list[int]:
    table = []
    for byte in range(256):
        value = byte << (width - 8)
        for _ in range(8):
            value = (value << 1) ^ (polynomial if value >> (width - 1) else 0)
            value &= (1 << width) - 1
        table.append(value)
    return table


TABLES = {(polynomial, width): _table(polynomial, width) for polynomial, width in ((0x07, 8), (0x8005, 16))}


def _crc(data: bytes, polynomial: int, width: int) -> int:
    table, value = TABLES[polynomial, width], 0
    for byte in data:
        value = ((value << 8) ^ table[(value >> (width - 8)) ^ byte]) & ((1 << width) - 1)
    return value
