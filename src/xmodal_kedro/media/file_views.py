"""Files of which FFmpeg is to see something else than their bytes."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from typing import IO, NamedTuple


class Patch(NamedTuple):
    """Bytes to be read in place of those of a file."""

    at: int
    content: bytes


def bytes_at(file: IO[bytes], at: int, count: int) -> bytes:
    """So many bytes of a file from a place on; fewer at its end."""
    file.seek(at)
    return file.read(count) or b""


def size_of(file: IO[bytes]) -> int:
    """Bytes of a file."""
    return file.seek(0, os.SEEK_END)


class FileView(io.RawIOBase):
    """A file from one of its bytes on, with some of them exchanged.

    Args:
        file: any that can be read, local or remote. It is closed with this.
        start: the first byte that is seen.
        patches: by places in the file itself.
        can_seek: whether it can be read anywhere, and not only from its start to its end.
    """

    def __init__(
        self, file: IO[bytes], start: int = 0, patches: Sequence[Patch] = (), *, can_seek: bool = True
    ) -> None:
        self._file, self._start, self._patches, self._can_seek = file, start, patches, can_seek
        self._at = start

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._can_seek

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence == os.SEEK_END:
            self._at = max(size_of(self._file) + offset, self._start)
        else:
            self._at = offset + (self._start if whence == os.SEEK_SET else self._at)
        return self.tell()

    def tell(self) -> int:
        return self._at - self._start

    def read(self, size: int = -1) -> bytes:
        if self._can_seek and self._file.tell() != self._at:  # some file systems give one file to all who open it
            self._file.seek(self._at)
        content = self._file.read(size) or b""
        for patch in self._patches:
            if patch.at < self._at + len(content) and self._at < patch.at + len(patch.content):
                content = _patched(content, self._at, patch)
        self._at += len(content)
        return content

    def close(self) -> None:
        self._file.close()
        super().close()


def _patched(content: bytes, start: int, patch: Patch) -> bytes:
    changed = bytearray(content)
    for offset, byte in enumerate(patch.content):
        if 0 <= (place := patch.at + offset - start) < len(changed):
            changed[place] = byte
    return bytes(changed)
