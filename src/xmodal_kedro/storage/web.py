"""Options for web servers: timeouts, and secrets that go to the server that they are for and to no other."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .limits import Limits

SILENCES_OF_AN_ANSWER = 15
"""A complete answer that is no copy of a file, such as a page or a manifest, may take so many times `silence_s`."""
SECRET_OPTIONS = ("headers", "auth", "cookies")
"""Options of a request that hold secrets, and that aiohttp would send to a server that it is redirected to."""
_SALT = os.urandom(16)


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
    """fsspec's options to reach a web server: with timeouts, unless a user set them, and with secrets bound to it.

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
