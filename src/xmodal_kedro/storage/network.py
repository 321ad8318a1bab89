"""What went wrong between this machine and a storage, which drivers hide, and options by which they fail in time."""

from __future__ import annotations

import errno
import logging
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import fsspec

from xmodal_kedro.masking import masked

from .limits import Limits

logger = logging.getLogger(__name__)

SAYS_AFTER_S = 10.0
SAYS_AGAIN_S = 60.0
GONE = (404, 410)
NO_ANSWER = "it did not answer in time"
REFUSED = (401, 403, 407)


RETRIES_OF_S3 = {"total_max_attempts": 2}
"""Of a request, by botocore; its five come on top of the five of s3fs, and a stalled endpoint took eight minutes."""


class RedirectError(OSError):
    """A server sends requests on in a circle."""


def network_fault(error: Exception) -> Exception:
    """The reason of a driver's error, with the text of the operating system or the server's answer.

    fsspec raises `FileNotFoundError` for all that goes wrong over HTTP; that is kept only where the server says so.
    """
    cause: BaseException = error
    while isinstance(cause, FileNotFoundError) and cause.__cause__ is not None:
        cause = cause.__cause__
    if type(cause).__module__.partition(".")[0] == "aiohttp" and isinstance(cause, Exception):
        return _of_aiohttp(cause)
    if isinstance(cause, TimeoutError):
        return cause if cause.args else TimeoutError(errno.ETIMEDOUT, NO_ANSWER)
    return cause if isinstance(cause, OSError) and not isinstance(cause, FileNotFoundError) else error


def _of_aiohttp(error: Exception) -> Exception:
    import aiohttp

    if isinstance(error, aiohttp.TooManyRedirects):
        return RedirectError(errno.ELOOP, "the server sends requests on in a circle (too many redirects)")
    if isinstance(error, aiohttp.ClientResponseError):
        answer = f"the server answers {error.status} {masked(error.message)}".rstrip()
        if error.status in GONE:
            return FileNotFoundError(errno.ENOENT, answer)
        return PermissionError(errno.EACCES, answer) if error.status in REFUSED else OSError(errno.EIO, answer)
    if isinstance(error, aiohttp.ServerTimeoutError):
        return TimeoutError(errno.ETIMEDOUT, NO_ANSWER)
    if isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno or errno.EIO
        plain = os.strerror(number) if number > 0 else str(error.os_error)
        return ConnectionError(number, f"no connection to {error.host}:{error.port}: {plain}")
    return error


def expect_stalls() -> None:
    """Let every filesystem of S3 that is made from now on, also by Kedro's datasets, give up an endpoint in time."""
    fsspec.config.conf.setdefault("s3", {}).setdefault("config_kwargs", {"retries": RETRIES_OF_S3})


def s3_options(options: Mapping[str, Any], limits: Limits) -> dict[str, Any]:
    """Options of s3fs with which an endpoint that does not answer is given up. A user's own take precedence.

    botocore would try each request five times, and s3fs each of these again.
    """
    patience = {"connect_timeout": limits.silence_s, "read_timeout": limits.silence_s, "retries": RETRIES_OF_S3}
    return {**options, "config_kwargs": {**patience, **options.get("config_kwargs", {})}}


@contextmanager
def announced(what: str) -> Iterator[None]:
    """Say in the log that the block still waits, after ten seconds and each minute."""
    ended = threading.Event()

    def say() -> None:
        waited_s, step_s = 0.0, SAYS_AFTER_S
        while not ended.wait(step_s):
            waited_s += step_s
            logger.warning("%s: still waiting after %.0f s", what, waited_s)
            step_s = SAYS_AGAIN_S

    threading.Thread(target=say, name="announce", daemon=True).start()
    try:
        yield
    finally:
        ended.set()
