"""Packets of a file, and of the files that it is joined of where FFmpeg does not read on by itself."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream

from xmodal_kedro.media.container import open_file, open_media, packets
from xmodal_kedro.media.file_views import bytes_at
from xmodal_kedro.reasons import MediaError

FIRST_PAGE, MAX_PAGE_BYTES = b"OggS\x00\x02", 2 * 65_307
"""How the first page of a stream begins (RFC 3533, section 6), and the size of two of the largest."""


class JoinedPackets:
    """The packets of some streams in file order. Those of the next file have its streams.

    Args:
        path: of the file that `container` reads.

    Attributes:
        broke_off: the demuxer's error that ended the packets; empty if there was none.
    """

    def __init__(self, path: str, container: InputContainer, streams: Sequence[Stream]) -> None:
        self.broke_off = ""
        self._path, self._container = path, container
        self._indices = [stream.index for stream in streams]

    def __iter__(self) -> Iterator[Packet]:
        container, start = self._container, 0
        opened: deque[ExitStack] = deque()
        try:
            while True:
                reading = packets(container, *(container.streams[index] for index in self._indices))
                last: Packet | None = None
                for last in reading:
                    yield last
                self.broke_off = reading.broke_off
                after = start + max((last.pos if last else 0) or 0, 1)
                start = next_chain(self._path, container, after) if reading.broke_off else 0
                if not start:
                    return
                opened.append(ExitStack())
                container = opened[-1].enter_context(open_media(self._path, glance=True, start=start))
                if max(self._indices) >= len(container.streams):
                    return
                if len(opened) > 2:  # the decoder of the last one is still to be emptied
                    opened.popleft().close()
        except MediaError as error:
            self.broke_off = error.detail
        finally:
            for stack in opened:
                stack.close()


def next_chain(path: str, container: InputContainer, after: int) -> int:
    """Where the next of the files begins that an Ogg file is joined of; 0 if there is none.

    FFmpeg reads on where it is as the one before, but not with another sample rate or other channels.

    Args:
        path: of the file that `container` reads.
        container: the file that broke off.
        after: a byte before which it was read.
    """
    if container.format.name != "ogg":
        return 0
    with open_file(path) as file:
        rest = bytes_at(file, after, MAX_PAGE_BYTES)
    at = rest.find(FIRST_PAGE)
    return after + at if at >= 0 else 0
