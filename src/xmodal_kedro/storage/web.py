"""Options for web servers: timeouts, and secrets that go to the server that they are for and to no other."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from .limits import Limits
from .patient_body import SET_BY, PatientBody

SILENCES_OF_AN_ANSWER = 15
"""A complete answer that is no copy of a file, such as a page or a manifest, may take so many times `silence_s`."""
SECRET_OPTIONS = ("headers", "auth", "cookies")
"""Options of a request that hold secrets, and that aiohttp would send to a server that it is redirected to."""
DEAD_AFTER = 3
"""A server that was silent for so many requests, and has answered none since, gets a tenth of the limit."""
SHORTER = 0.1
REMEMBERED_S = 300.0
_SALT = os.urandom(16)


class Silence(NamedTuple):
    """How many requests a server has not answered since it answered one, and when the last of these ended."""

    requests: int
    ended: float


_silent: dict[str, Silence] = {}


@dataclass(frozen=True)
class Patience:
    """Gives up a server whose answer does not begin in time, or does not come on; a middleware of aiohttp.

    aiohttp counts from byte to byte, so that a header of a byte a second would come for ever.

    Attributes:
        limits: how patient to be.
        whole: whether the body counts too. That of a copy is watched where it is written.
    """

    limits: Limits
    whole: bool

    async def __call__(self, request: Any, handler: Any) -> Any:
        from aiohttp import ServerTimeoutError

        origin = str(request.url.origin())
        before = _silent.get(origin, Silence(0, 0.0))
        is_dead = before.requests >= DEAD_AFTER and time.monotonic() - before.ended < REMEMBERED_S
        limit_s = self.limits.silence_s * (SHORTER if is_dead else 1)
        try:
            answer = await asyncio.wait_for(handler(request), limit_s)
        except TimeoutError as error:
            if not is_dead:
                _silent[origin] = Silence(_silent.get(origin, before).requests + 1, time.monotonic())
            said = f"it did not answer in {limit_s:g} s{', nor just before' if is_dead else ''} ({SET_BY})"
            raise ServerTimeoutError(errno.ETIMEDOUT, said) from error
        _silent.pop(origin, None)
        if self.whole and answer.content is not None:
            answer.content = PatientBody(answer.content, origin, self.limits)
        return answer


@dataclass(frozen=True, repr=False)
class SecretsOfServer:
    """Adds headers, cookies and user to the requests to one server; those that are redirected elsewhere get none.

    A middleware of aiohttp, which calls it for each request, also after a redirect.

    Attributes:
        origin: scheme, host and port.
        options: those of `SECRET_OPTIONS` that are set.
    """

    origin: str
    options: tuple[tuple[str, Any], ...]

    async def __call__(self, request: Any, handler: Any) -> Any:
        if str(request.url.origin()) == self.origin:
            options = dict(self.options)
            request.headers.update(options.get("headers") or {})
            if auth := options.get("auth"):
                request.headers["Authorization"] = _basic(auth).encode()
            if cookies := options.get("cookies"):
                sent = [request.headers["Cookie"]] if "Cookie" in request.headers else []
                request.headers["Cookie"] = "; ".join([*sent, *(f"{name}={value}" for name, value in cookies.items())])
        return await handler(request)

    def __repr__(self) -> str:
        """Differs for other secrets, as fsspec keeps one filesystem for options that look alike, and shows none."""
        digest = hashlib.blake2b(repr(self.options).encode(), key=_SALT, digest_size=8).hexdigest()
        return f"SecretsOfServer({self.origin!r}, {digest})"


def web_options(address: str, options: Mapping[str, Any], limits: Limits, *, whole: bool = True) -> dict[str, Any]:
    """fsspec's options to reach a web server: with limits, unless a user set a timeout, and with secrets bound to it.

    Args:
        address: URL of the server or of a file there.
        options: as a user sets them for this server.
        limits: how patient to be.
        whole: whether an answer is to come in a limited time, too.
    """
    from yarl import URL

    client = dict(options.get("client_kwargs") or {})
    secrets = {name: client.pop(name) for name in SECRET_OPTIONS if client.get(name)}
    for name in SECRET_OPTIONS:
        if value := options.get(name):
            both = isinstance(value, Mapping) and isinstance(secrets.get(name), Mapping)
            secrets[name] = {**secrets[name], **value} if both else value
    if secrets:
        bound = SecretsOfServer(str(URL(address).origin()), tuple(sorted(secrets.items())))
        client["middlewares"] = (bound, *client.get("middlewares", ()))
    if "timeout" not in client:
        client["middlewares"] = (Patience(limits, whole), *client.get("middlewares", ()))
    rest = {name: value for name, value in options.items() if name not in (*SECRET_OPTIONS, "client_kwargs")}
    return {**rest, "client_kwargs": {"timeout": _timeout(limits, whole), **client}}


def _timeout(limits: Limits, whole: bool) -> Any:
    from aiohttp import ClientTimeout

    silence = limits.silence_s
    total = SILENCES_OF_AN_ANSWER * silence if whole else None
    return ClientTimeout(total=total, sock_connect=silence, sock_read=silence)


def _basic(auth: Any) -> Any:
    from aiohttp import BasicAuth

    return auth if isinstance(auth, BasicAuth) else BasicAuth(*map(str, auth))
