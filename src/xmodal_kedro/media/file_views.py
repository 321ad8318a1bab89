"""Files of which FFmpeg is to see something else than their bytes."""

from __future__ import annotations

import io
import os

from xmodal_kedro.media.wav_header import Patch


class PatchedFile(io.RawIOBase):
    """A file that is read with some of its bytes exchanged."""

    def __init__(self, descriptor: int, patch: Patch) -> None:
        self._file = os.fdopen(os.dup(descriptor), "rb", buffering=0)
        self._patch = patch

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int = -1) -> bytes:
        start = self._file.tell()
        content = bytearray(self._file.read(size) or b"")
        for offset, byte in enumerate(self._patch.content):
            if 0 <= (place := self._patch.at + offset - start) < len(content):
                content[place] = byte
        return bytes(content)

    def close(self) -> None:
        self._file.close()
        super().close()


class RestOfFile(PatchedFile):
    """A file from one of its bytes on."""

    def __init__(self, descriptor: int, start: int) -> None:
        super().__init__(descriptor, Patch(0, b""))
        self._start = start
        self.seek(0)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return super().seek(offset + (self._start if whence == os.SEEK_SET else 0), whence) - self._start

    def tell(self) -> int:
        return super().tell() - self._start
