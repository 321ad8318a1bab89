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
from .patient_body import SET_BY, PatientBody

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiobotocore.awsrequest import AioAWSPreparedRequest, AioAWSResponse

logger = logging.getLogger(__name__)

SHORTER = 0.1
"""Of its limit, what an endpoint gets that was silent just now: what is done after an error must not wait again."""
REMEMBERED_S = 60.0
SHORT_BODY_BYTES = 1 << 16
"""A request with a longer body takes as long as that is."""
SHORT_SET_BY = f"a tenth of its limit; {SET_BY}"
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
            limits = Limits(self._silence_s, storage_limits().slowest_kb_per_s)
            answer.raw.content = S3Body(answer.raw.content, endpoint, limits, _announced)
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


class S3Body(PatientBody):
    """The body of an answer; s3fs would try a timeout five times. A silent endpoint is remembered."""

    async def _next(self, size: int) -> bytes:
        try:
            return await super()._next(size)
        except StalledError as error:
            if isinstance(error.__cause__, TimeoutError):
                _silent_since[self._endpoint] = time.monotonic()
            raise


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
