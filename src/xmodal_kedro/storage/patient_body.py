"""The body of an answer of a server, which is given up where it comes to a halt, or trickles."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from .limits import Limits
from .network import StalledError

SET_BY = "`network.silence_s` in globals.yml sets how long a server may be silent"
SLOW_SET_BY = "`network` in globals.yml sets how long a server may be silent, and how slow"
BLOCK_BYTES = 1 << 16
"""Of an answer that is read whole."""


class PatientBody:
    """In place of the stream of an answer that aiohttp gives, whose own limit each byte that comes sets back.

    Only what a read waits for counts, not the time between reads.

    Args:
        stream: of aiohttp.
        endpoint: for messages.
        limits: how patient to be.
        announced: a context in which a read waits.

    Raises:
        StalledError: by `read`, where the stream's own timeout has passed, or less comes than the limits want.
    """

    def __init__(
        self,
        stream: Any,
        endpoint: str,
        limits: Limits,
        announced: Callable[[str], AbstractContextManager[Any]] = nullcontext,
    ) -> None:
        self._stream, self._endpoint = stream, endpoint
        self._limits, self._announced = limits, announced
        self._waited_s, self._came_bytes = 0.0, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    async def read(self, size: int = -1) -> bytes:
        """At most so many bytes, or all that are left."""
        if size >= 0:
            return await self._next(size)
        blocks = []
        while block := await self._next(BLOCK_BYTES):
            blocks.append(block)
        return b"".join(blocks)

    async def _next(self, size: int) -> bytes:
        began = time.monotonic()
        try:
            with self._announced(self._endpoint):
                block: bytes = await self._stream.read(size)
        except TimeoutError as error:
            what = f"{self._endpoint} sent nothing more of an answer for {self._limits.silence_s:g} s"
            raise StalledError(what, SET_BY) from error
        self._waited_s += time.monotonic() - began
        self._came_bytes += len(block)
        if block and self._waited_s >= self._limits.silence_s:
            if self._came_bytes < self._limits.bytes_in_silence:
                sent = f"{self._endpoint} sent {self._came_bytes:,} bytes of an answer in {self._waited_s:.3g} s"
                raise StalledError(sent, SLOW_SET_BY)
            self._waited_s, self._came_bytes = 0.0, 0
        return block
