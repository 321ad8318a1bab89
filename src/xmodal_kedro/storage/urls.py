"""Which addresses may be read, and the filesystem of each."""

from __future__ import annotations

import errno
import re
from collections.abc import Mapping
from typing import Any

import fsspec

from xmodal_kedro.masking import remember

from .limits import Limits
from .network import register_drivers, s3_options, storage_limits
from .web import web_options

SAFE_PROTOCOLS = (
    *("file", "local", "memory", "http", "https", "s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "hdfs", "sftp"),
)
"""Protocols by which files are listed and read. Those that run programs or wrap another address are left out."""
LOCAL_PROTOCOLS = ("file", "local")
WEB_PROTOCOLS = ("http", "https")
S3_PROTOCOLS = ("s3", "s3a")
register_drivers()
_PROTOCOL = re.compile(r"([a-z][\w+.-]*(?:::[\w+.-]+)*)://", re.IGNORECASE | re.ASCII)


def protocol_of(address: str) -> str:
    """Protocol of a URL, such as `s3`, or the whole chain of a chained one, such as `zip::s3`; else `file`.

    A local path is never read as a URL, even if its names hold colons: `a::b.mp4`, `http:b.mp4`.
    """
    found = _PROTOCOL.match(address)
    return found[1].lower() if found else "file"


def local_path(address: str) -> str | None:
    """The path of a local address; None for a remote one."""
    if protocol_of(address) not in LOCAL_PROTOCOLS:
        return None
    return address[found.end() :] if (found := _PROTOCOL.match(address)) else address


def storage_of(
    address: str, options: Mapping[str, Any] | None = None, limits: Limits | None = None, *, copies: bool = False
) -> tuple[fsspec.AbstractFileSystem, str]:
    """The filesystem of an address, and the path in it. `::` in a name does not chain to another address.

    Args:
        options: fsspec's storage options, such as keys and endpoints.
        limits: how patient to be with a server; by default as `limit_storage` says.
        copies: whether a file is copied, which takes as long as it is large.

    Raises:
        PermissionError: for a protocol that is not safe.
        ImportError: naming the package to install for a protocol.
    """
    protocol = protocol_of(address)
    if protocol not in SAFE_PROTOCOLS:
        raise PermissionError(errno.EACCES, f"the protocol {protocol} is not on the list of safe ones", address)
    from_address = fsspec.get_filesystem_class(protocol)._get_kwargs_from_urls(address)
    arguments = {**from_address, **(options or {})}
    remember(options or {})
    remember(from_address, in_names=False)
    remember(address, in_names=False)
    limits = storage_limits() if limits is None else limits
    if protocol in WEB_PROTOCOLS:
        arguments = web_options(address, arguments, limits, whole=not copies)
    elif protocol in S3_PROTOCOLS:
        arguments = s3_options(arguments, limits)
    elif protocol == "sftp":
        arguments = {"silence_s": limits.silence_s, **arguments}
    fs = fsspec.filesystem(protocol, **arguments)
    return fs, fs._strip_protocol(address)
