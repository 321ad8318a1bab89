"""Which storage options of `credentials.yml` an address gets: those of its host and port, and no others."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from xmodal_kedro.datasets.errors import DataError
from xmodal_kedro.masking import masked, remember
from xmodal_kedro.storage import protocol_of

logger = logging.getLogger(__name__)

Options = Mapping[str, Any]
"""fsspec's storage options."""
Credentials = Mapping[str, Options]
"""By protocol: options of a store, or, of protocols whose addresses name a host, options by host."""

DEFAULT_PORTS = {"http": 80, "https": 443, "sftp": 22, "hdfs": 8020}
"""Protocols whose addresses name the host that is connected to, and the port where they name none."""
EXAMPLES = {
    "http": "headers: {...}",
    "https": "headers: {...}",
    "sftp": "username: ..., password: ...",
    "hdfs": "user: ...",
}
OPTIONS_OF_THE_WEB = frozenset(
    {"headers", "auth", "cookies", "params", "client_kwargs", "get_client", "ssl", "proxy", "proxy_auth"}
    | {"proxy_headers", "trust_env", "block_size", "simple_links", "same_scheme", "size_policy", "cache_type"}
    | {"cache_options", "encoded", "timeout", "allow_redirects", "max_redirects", "asynchronous", "loop"}
)
"""Names that are no hosts: who writes them there means every server, which gets no secrets."""
OF_AZURE = ("az", "abfs", "abfss")
AZURE_HOSTS = (".dfs.core.windows.net", ".blob.core.windows.net")


def options_for(address: str, credentials: Credentials) -> Options:
    """The storage options of an address; none if its host is not named.

    Stores that a driver reaches at an endpoint of its own, such as S3, have one set of options: no address leads their
    keys elsewhere.

    Raises:
        DataError: as `require_bound`.
    """
    protocol = protocol_of(address)
    options = credentials.get(protocol)
    if not options:
        return {}
    if protocol in OF_AZURE:
        return options if _account(address) in (None, options.get("account_name")) else {}
    if protocol not in DEFAULT_PORTS:
        return options
    wanted = _host_and_port(urlsplit(address).netloc.rpartition("@")[2], protocol)
    named = {host: _host_and_port(str(host), protocol) for host in options}
    for host, its_options in options.items():
        if named[host] == wanted:
            return its_options
    for host, found in named.items():
        if wanted and found and found[0] == wanted[0]:
            _warn_of_port(protocol, str(host), *wanted)
    return {}


def require_bound(credentials: Credentials) -> None:
    """Check that credentials are storage options by protocol, and by host where addresses name one.

    Their secrets are masked in texts from now on.

    Raises:
        DataError: naming the field, but not its value.
    """
    remember(credentials)
    place = "`sources` in conf/ENV/credentials.yml"
    for protocol, options in credentials.items():
        if not isinstance(options, Mapping):
            raise DataError(
                f"{place}: {protocol} holds no storage options: put them below their protocol, such as "
                "`s3: {key: ..., secret: ...}`"
            )
        for field in _not_of_a_host(protocol, options) if protocol in DEFAULT_PORTS else ():
            raise DataError(
                f"{place}: {protocol} has {masked(str(field))} for no host, and every server that a manifest names "
                f"would get it: put it below the host that it is for, such as "
                f"`{protocol}: {{files.example.org: {{{EXAMPLES[protocol]}}}}}`"
            )
        for host, its_options in options.items() if protocol in DEFAULT_PORTS else ():
            if leading := sorted({"host", "port"} & set(its_options)):
                raise DataError(
                    f"{place}: {protocol}, {host} has {leading[0]}: write the host and its port in place of {host}, "
                    "such as files.example.org:2222"
                )


def _not_of_a_host(protocol: str, options: Options) -> Iterator[str]:
    for name, value in options.items():
        is_option = protocol in ("http", "https") and name in OPTIONS_OF_THE_WEB
        if is_option or not isinstance(value, Mapping) or _host_and_port(str(name), protocol) is None:
            yield name


def _host_and_port(written: str, protocol: str) -> tuple[str, int] | None:
    """Of `host`, `host:port` or `[address]:port`; None if it is neither."""
    try:
        parts = urlsplit(f"//{written}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if not host or parts.path or parts.query or parts.fragment or "@" in written:
        return None
    return host.rstrip("."), port or DEFAULT_PORTS[protocol]


def _account(address: str) -> str | None:
    host = (urlsplit(address).hostname or "").lower()
    return next((host.removesuffix(end) for end in AZURE_HOSTS if host.endswith(end)), None)


@lru_cache(maxsize=256)  # once for each server
def _warn_of_port(protocol: str, named: str, host: str, port: int) -> None:
    logger.warning(
        "%s://%s:%d gets no credentials: credentials.yml names %s, which is port %d; name %s:%d if it is meant too",
        *(protocol, host, port, named, (_host_and_port(named, protocol) or ("", 0))[1], host, port),
    )
