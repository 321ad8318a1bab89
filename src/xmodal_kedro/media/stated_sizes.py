"""Sizes in the headers of files of sound that were not brought up to date, as recorders and pipes leave them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from xmodal_kedro.media.file_views import Patch, bytes_at, size_of
from xmodal_kedro.media.wav_header import KINDS, MIN_REST_BYTES

MIN_UNKNOWN = 0x7FFF0000
"""What programs write that do not know a size is this or more: 2**31 or 2**32 or 2**63 or 2**64, less a header."""

MAX_CHUNKS = 1000
AU, AU_SIZE_AT, AU_UNKNOWN = b".snd", 8, b"\xff" * 4


@dataclass(frozen=True)
class Chunked:
    """A format of chunks, each after its name and size.

    Attributes:
        starts: bytes at the beginning of a file, and further ones with their place.
        first: place of the first chunk.
        header: name and size before a chunk's content, as `struct` has them.
        size_at, size: place and format of the size in that.
        counted: bytes of the header that count in the size.
        aligned: chunks begin at multiples of this.
        samples: name of the chunk of samples.
    """

    starts: tuple[bytes, ...]
    kind: tuple[int, tuple[bytes, ...]]
    first: int
    header: str
    size_at: int
    size: str
    counted: int
    aligned: int
    samples: bytes

    def matches(self, head: bytes) -> bool:
        """Whether a file begins so."""
        at, kinds = self.kind
        return head.startswith(self.starts) and any(head.startswith(kind, at) for kind in kinds)

    def chunks(self, file: IO[bytes]) -> Iterator[tuple[bytes, int, int]]:
        """Name, place and stated size of the first chunks' contents."""
        at, length = self.first, struct.calcsize(self.header)
        for _ in range(MAX_CHUNKS):
            header = bytes_at(file, at, length)
            if len(header) < length:
                return
            name, size = struct.unpack(self.header, header)
            yield name, at + length, size - self.counted
            at += length + max(size - self.counted, 0)
            at += -at % self.aligned


AIFF = Chunked((b"FORM",), (8, (b"AIFF", b"AIFC")), 12, ">4sI", 4, ">I", 0, 2, b"SSND")
CAF = Chunked((b"caff",), (0, (b"caff",)), 8, ">4sQ", 4, ">Q", 0, 1, b"data")
W64 = Chunked((b"riff",), (24, (b"wave",)), 40, "<4s12xQ", 16, "<Q", 24, 8, b"data")
RF64 = Chunked(KINDS[1:], (8, (b"WAVE",)), 12, "<4sI", 4, "<I", 0, 2, b"data")


def size_patches(file: IO[bytes]) -> list[Patch]:
    """What makes FFmpeg read all samples of an AIFF, AU, CAF, Wave64 or RF64 file whose header states another size.

    A size that is too large is left as it is, for then bytes are missing, unless it is one that means that it is not
    known.
    """
    head = bytes_at(file, 0, 28)
    if head.startswith(AU):
        size = int.from_bytes(head[AU_SIZE_AT : AU_SIZE_AT + 4], "big")
        return [Patch(AU_SIZE_AT, AU_UNKNOWN)] if not size or size_of(file) < size >= MIN_UNKNOWN else []
    layout = next((each for each in (AIFF, CAF, W64, RF64) if each.matches(head)), None)
    return _chunked_patches(file, layout) if layout else []


def _chunked_patches(file: IO[bytes], layout: Chunked) -> list[Patch]:
    end, length = size_of(file), struct.calcsize(layout.header)
    places: dict[bytes, int] = {}
    for name, at, size in layout.chunks(file):
        places[name] = at
        if name != layout.samples:
            continue
        size_at = at - length + layout.size_at
        patch_size = layout.size
        if layout is RF64 and size == 0xFFFFFFFF and b"ds64" in places:
            size_at, patch_size = places[b"ds64"] + 8, "<Q"
            (size,) = struct.unpack("<Q", bytes_at(file, size_at, 8))
        if not _is_wrong(file, layout, at, size):
            return []
        patches = [Patch(size_at, struct.pack(patch_size, end - at + layout.counted))]
        if layout is W64:
            patches.append(Patch(16, struct.pack("<Q", end)))
        if layout is AIFF:  # the size of the whole, and a number of frames that is not known
            patches.append(Patch(4, struct.pack(">I", min(end - 8, 0xFFFFFFFE))))
            patches += [Patch(places[b"COMM"] + 2, bytes(4))] if b"COMM" in places else []
        return patches
    return []


def _is_wrong(file: IO[bytes], layout: Chunked, at: int, size: int) -> bool:
    """Whether samples at some place go on after the size that is stated for them."""
    end = size_of(file)
    if end - at < MIN_REST_BYTES:
        return False
    if size > end - at:
        return size >= MIN_UNKNOWN
    after = at + max(size, 0)
    after += -after % layout.aligned
    rest = bytes_at(file, after, MIN_REST_BYTES)
    if len(rest) < MIN_REST_BYTES or (size > 0 and not any(rest)):
        return False
    name, next_size = struct.unpack(layout.header, rest[: struct.calcsize(layout.header)])
    is_chunk = all(32 <= byte < 127 for byte in name) and after + next_size <= end + 1
    return not is_chunk
