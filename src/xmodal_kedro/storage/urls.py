"""Which addresses are followed, and the storage behind them."""

from __future__ import annotations

import errno
import re
from collections.abc import Mapping
from typing import Any

import fsspec

SAFE_PROTOCOLS = (
    *("file", "local", "memory", "http", "https", "s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "hdfs", "sftp"),
)
"""Protocols by which files are listed and read. Those that run programs, or that wrap another address, are not here."""
LOCAL_PROTOCOLS = ("file", "local")
WEB_PROTOCOLS = ("http", "https")
WEB_SILENCE_S = 20.0
"""How long a web server may say nothing before it is given up..."""
WEB_ANSWER_S = 300.0
"""...and how long one answer of it may take, seconds."""
_PROTOCOL = re.compile(r"([a-z][\w+.-]*(?:::[\w+.-]+)*)://", re.IGNORECASE | re.ASCII)


def protocol_of(address: str) -> str:
    """Protocol of a URL, such as `s3`, and of a chained one all of its head, such as `zip::s3`; else `file`.

    A path of this machine is never read as a URL, whatever colons its names hold: `a::b.mp4`, `http:b.mp4`.
    """
    found = _PROTOCOL.match(address)
    return found[1].lower() if found else "file"


def local_path(address: str) -> str | None:
    """The path of an address on this machine; None for one elsewhere."""
    if protocol_of(address) not in LOCAL_PROTOCOLS:
        return None
    return address[found.end() :] if (found := _PROTOCOL.match(address)) else address


def storage_of(address: str, options: Mapping[str, Any] | None = None) -> tuple[fsspec.AbstractFileSystem, str]:
    """The filesystem of an address, and the path in it. What `::` in a name would chain to is not followed.

    Args:
        options: fsspec's storage options, such as keys and endpoints.

    Raises:
        PermissionError: for a protocol that is not safe.
        ImportError: naming the package to install for a protocol.
    """
    protocol = protocol_of(address)
    if protocol not in SAFE_PROTOCOLS:
        raise PermissionError(errno.EACCES, f"the protocol {protocol} is not on the list of safe ones", address)
    told_by_address = fsspec.get_filesystem_class(protocol)._get_kwargs_from_urls(address)
    told = {**told_by_address, **(options or {})}
    fs = fsspec.filesystem(protocol, **(_with_patience(told) if protocol in WEB_PROTOCOLS else told))
    return fs, fs._strip_protocol(address)


def _with_patience(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options for the web by which a server that never answers is not waited for; a user's own limits stand."""
    from aiohttp import ClientTimeout

    limits = ClientTimeout(total=WEB_ANSWER_S, sock_connect=WEB_SILENCE_S, sock_read=WEB_SILENCE_S)
    return {**options, "client_kwargs": {"timeout": limits, **options.get("client_kwargs", {})}}
