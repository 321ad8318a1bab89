"""S3 by s3fs, which gives up an endpoint that does not answer, and says so.

By itself, s3fs would try what is read ten times, and wait for ever for the answer to what is written. An answer that
comes to a halt midway, or trickles, is given up as well.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import fsspec
from aiobotocore.httpsession import AIOHTTPSession
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError
from s3fs import S3FileSystem
from yarl import URL

from .limits import Limits
from .network import SAYS_AFTER_S, SAYS_AGAIN_S, StalledError, storage_limits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiobotocore.awsrequest import AioAWSPreparedRequest, AioAWSResponse

logger = logging.getLogger(__name__)

SHORTER = 0.1
"""Of its limit, what an endpoint gets that was silent just now: what is done after an error must not wait again."""
REMEMBERED_S = 60.0
SHORT_BODY_BYTES = 1 << 16
"""A request with a longer body takes as long as that is."""
BLOCK_BYTES = 1 << 16
"""Of an answer that is read whole."""
SET_BY = "`network.silence_s` in globals.yml sets how long a server may be silent"
SHORT_SET_BY = f"a tenth of its limit; {SET_BY}"
SLOW_SET_BY = "`network` in globals.yml sets how long a server may be silent, and how slow"
_silent_since: dict[str, float] = {}
_said_at: dict[str, float] = {}


class PatientSession(AIOHTTPSession):
    """Sends requests. Of an endpoint that is silent for the read timeout, also while it is sent a body, it says so.

    Raises:
        StalledError: which neither botocore nor s3fs takes for a reason to try again.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._silence_s = float(self._timeout.sock_read or 0)
        self._connector_args: dict[str, Any] = {"socket_factory": self._new_socket, **self._connector_args}

    async def send(self, request: AioAWSPreparedRequest) -> AioAWSResponse:
        endpoint = str(URL(request.url).origin())
        request.headers.pop("Expect", None)  # aiohttp waits for `100 Continue` without a limit
        try:
            short_s = self._limit_s(endpoint, request)
            with _announced(endpoint):
                answer = await asyncio.wait_for(super().send(request), short_s)
        except Exception as error:  # a timeout comes in errors of aiohttp, botocore and the system
            if not _is_silence(error):
                raise
            _silent_since[endpoint] = time.monotonic()
            if short_s is not None:
                what = f"{endpoint}, which was silent just before, did not answer for {short_s:g} s either"
                raise StalledError(what, SHORT_SET_BY) from error
            raise StalledError(f"{endpoint} did not answer for {self._waited_s(error):g} s", SET_BY) from error
        _silent_since.pop(endpoint, None)
        if self._silence_s and answer.raw.content is not None:
            answer.raw.content = PatientBody(answer.raw.content, endpoint, self._silence_s)
        return answer

    def _limit_s(self, endpoint: str, request: AioAWSPreparedRequest) -> float | None:
        """What an answer may take; None where the timeouts of the connection are enough."""
        is_short = int(request.headers.get("Content-Length") or 0) <= SHORT_BODY_BYTES
        was_silent = time.monotonic() - _silent_since.get(endpoint, -REMEMBERED_S) < REMEMBERED_S
        return SHORTER * self._silence_s if is_short and was_silent and self._silence_s else None

    def _waited_s(self, error: BaseException) -> float:
        """What a timeout of the connection was, seconds."""
        if _is_among(error, ConnectTimeoutError) and self._timeout.sock_connect:
            return float(self._timeout.sock_connect)
        return self._silence_s

    def _new_socket(self, address: tuple[Any, ...]) -> socket.socket:
        """A socket on which no byte may wait for longer to be taken, as aiohttp has no limit for what it sends."""
        made = socket.socket(*address[:3])
        if self._silence_s and hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
            with suppress(OSError):
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(1000 * self._silence_s))
        return made


class PatientBody:
    """The body of an answer, in place of aiohttp's stream, for which s3fs would try a timeout five times.

    Only what a read waits for counts, not the time between reads.

    Raises:
        StalledError: by `read`, where nothing comes for the read timeout, or less than the project's limits want.
    """

    def __init__(self, stream: Any, endpoint: str, silence_s: float) -> None:
        self._stream, self._endpoint = stream, endpoint
        self._limits = Limits(silence_s, storage_limits().slowest_kb_per_s)
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
            with _announced(self._endpoint):
                block: bytes = await self._stream.read(size)
        except TimeoutError as error:
            _silent_since[self._endpoint] = time.monotonic()
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


class PatientS3FileSystem(S3FileSystem):
    """s3fs, with the project's limits where a user sets no others in `config_kwargs`."""

    def __init__(self, *arguments: Any, config_kwargs: dict[str, Any] | None = None, **options: Any) -> None:
        limits = fsspec.config.conf.get("s3", {}).get("config_kwargs", {})
        config = {"http_session_cls": PatientSession, **limits, **(config_kwargs or {})}
        super().__init__(*arguments, config_kwargs=config, **options)


@contextmanager
def _announced(endpoint: str) -> Iterator[None]:
    """Say in the log that a request still waits, once for all to one endpoint."""

    def say() -> None:
        if time.monotonic() - _said_at.get(endpoint, -SAYS_AGAIN_S) >= SAYS_AGAIN_S:
            _said_at[endpoint] = time.monotonic()
            logger.warning("%s: still waiting after %.0f s for an answer", endpoint, SAYS_AFTER_S)

    timer = asyncio.get_running_loop().call_later(SAYS_AFTER_S, say)
    try:
        yield
    finally:
        timer.cancel()


def _is_silence(error: BaseException | None) -> bool:
    """Whether a timeout is behind an error: of aiohttp, of this module, or of the system for what was sent."""
    if _is_among(error, ConnectTimeoutError, ReadTimeoutError, TimeoutError):
        return True
    return any(isinstance(each, OSError) and each.errno == errno.ETIMEDOUT for each in _chain(error))


def _is_among(error: BaseException | None, *kinds: type[BaseException]) -> bool:
    """Whether an error, or one behind it, is of some kinds."""
    return any(isinstance(each, kinds) for each in _chain(error))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
