"""What went wrong between this machine and a storage, which drivers hide, and options by which they fail in time."""

from __future__ import annotations

import errno
import logging
import os
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import fsspec

from xmodal_kedro.masking import masked

from .limits import DEFAULT_LIMITS, Limits

logger = logging.getLogger(__name__)

SAYS_AFTER_S = 10.0
SAYS_AGAIN_S = 60.0
MAX_SAID = 200
"""Characters of what a server says."""
GONE = (404, 410)
NO_ANSWER = "it did not answer in time"
REFUSED = (401, 403, 407)
RETRIES_OF_S3 = {"total_max_attempts": 2}
"""Of a request, by botocore; its five come on top of the five of s3fs."""
OWN_S3_CONFIG: Mapping[str, Any] = fsspec.config.conf.get("s3", {}).get("config_kwargs", {})
"""What a user sets for all of S3 in fsspec's own configuration."""
_limits = DEFAULT_LIMITS


class StalledError(OSError):
    """An endpoint takes requests and does not answer, or not to the end. It is no `TimeoutError`, which drivers would
    try again.

    Args:
        what: which endpoint did what, and for how many seconds.
        set_by: the parameter that sets how long it may, and what of it.
    """

    def __init__(self, what: str, set_by: str) -> None:
        super().__init__(errno.ETIMEDOUT, f"{what} ({set_by})")
        self._facts = what, set_by

    def __reduce__(self) -> tuple[type[StalledError], tuple[str, str]]:
        return StalledError, self._facts

    def __str__(self) -> str:
        return f"{self.strerror}: see that it works and can be reached, and run again; what is finished is kept"


class RedirectError(OSError):
    """A server sends requests on in a circle."""


def network_fault(error: Exception) -> Exception:
    """The reason of a driver's error, with the text of the operating system or the server's answer.

    fsspec raises `FileNotFoundError` for all that goes wrong over HTTP; that is kept only where the server says so.
    """
    cause: BaseException = error
    while cause.__cause__ and (
        isinstance(cause, FileNotFoundError) or (isinstance(cause, TimeoutError) and not cause.args)
    ):
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
    if isinstance(error.__cause__, aiohttp.http_exceptions.HttpProcessingError):
        return OSError(errno.EPROTO, f"the server does not speak HTTP ({one_line(error.__cause__.message)})")
    if isinstance(error, aiohttp.ClientResponseError):
        answer = f"the server answers {error.status} {one_line(error.message)}".rstrip()
        if error.status in GONE:
            return FileNotFoundError(errno.ENOENT, answer)
        return PermissionError(errno.EACCES, answer) if error.status in REFUSED else OSError(errno.EIO, answer)
    if isinstance(error, aiohttp.ServerTimeoutError):
        return TimeoutError(errno.ETIMEDOUT, error.strerror or NO_ANSWER)
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, ssl.SSLError):
        said = getattr(error.os_error, "verify_message", "") or error.os_error.reason or str(error.os_error)
        reason = f"no secure connection to {error.host}:{error.port}: {said.lower().replace('_', ' ')}"
        return ConnectionError(errno.EPROTO, reason)
    if isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno or errno.EIO
        plain = os.strerror(number) if number > 0 else str(error.os_error)
        return ConnectionError(number, f"no connection to {error.host}:{error.port}: {plain}")
    return error


def one_line(text: str) -> str:
    """What a server or a driver says, without secrets, in one line of limited length."""
    line = masked(" ".join(text.split()))
    return line if len(line) <= MAX_SAID else f"{line[:MAX_SAID]}…"


def limit_storage(limits: Limits) -> None:
    """Let every filesystem of S3 that is made from now on, also by Kedro's datasets, give up an endpoint in time.

    Of S3 alone, as drivers of others have no such options in common.
    """
    global _limits
    _limits = limits
    fsspec.config.conf.setdefault("s3", {})["config_kwargs"] = {**_s3_patience(limits), **OWN_S3_CONFIG}


def storage_limits() -> Limits:
    """What `limit_storage` has set in this process."""
    return _limits


def register_drivers() -> None:
    """Let fsspec make the project's filesystems of S3 and SFTP, also for other packages; nothing is imported before."""
    sftp = "xmodal_kedro.storage.sftp.PatientSFTPFileSystem"
    fsspec.register_implementation("sftp", sftp, clobber=True, errtxt='SFTP requires "paramiko" to be installed')
    for protocol in ("s3", "s3a"):
        driver = "xmodal_kedro.storage.s3.PatientS3FileSystem"
        fsspec.register_implementation(protocol, driver, clobber=True, errtxt="Install s3fs to access S3")
    limit_storage(_limits)


def s3_options(options: Mapping[str, Any], limits: Limits) -> dict[str, Any]:
    """Options of s3fs with which an endpoint that does not answer is given up. A user's own take precedence."""
    return {**options, "config_kwargs": {**_s3_patience(limits), **options.get("config_kwargs", {})}}


def _s3_patience(limits: Limits) -> dict[str, Any]:
    return {"connect_timeout": limits.silence_s, "read_timeout": limits.silence_s, "retries": RETRIES_OF_S3}


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
