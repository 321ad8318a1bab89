"""What storage reports of named files, of all servers at once: one that does not answer holds up no other."""

from __future__ import annotations

import logging
import posixpath
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain, zip_longest
from typing import Any

from fsspec import AbstractFileSystem, get_filesystem_class

from xmodal_kedro.datasets.credentials import Options
from xmodal_kedro.masking import masked_value
from xmodal_kedro.storage import WEB_PROTOCOLS, Limits, announced, network_fault, one_line, protocol_of, storage_of

logger = logging.getLogger(__name__)

REQUESTS_AT_ONCE = 32
Infos = dict[str, dict[str, Any]]
"""What a driver reports of files, by address."""
Request = Callable[[], Infos]


def look_up(
    servers: Sequence[set[str]], options_of: Callable[[str], Options], limits: Limits
) -> tuple[list[Options], Infos]:
    """Options of each server, and infos of the files that exist, by address.

    It takes one listing of each folder, over HTTP a request for each file. Where a server cannot be reached, or an
    address is none, the log says so, and the files have no infos: a worker that opens them meets the reason again.

    Args:
        servers: for each, addresses of files there.
        options_of: storage options of an address.
        limits: how patient to be.
    """
    with ThreadPoolExecutor(REQUESTS_AT_ONCE) as threads:
        opened = [*threads.map(lambda addresses: _requests(addresses, options_of, limits), servers)]
        in_turn = chain.from_iterable(zip_longest(*(requests for _, requests in opened)))
        infos: Infos = {}
        for found in threads.map(lambda request: request(), filter(None, in_turn)):
            infos |= found
    return [options for options, _ in opened], infos


def _requests(
    addresses: set[str], options_of: Callable[[str], Options], limits: Limits
) -> tuple[Options, list[Request]]:
    """Options of one server, and requests to it that may be made at the same time."""
    wanted: dict[str, set[str]] = {}
    for address in sorted(addresses):
        request = address if protocol_of(address) in WEB_PROTOCOLS else posixpath.dirname(address)
        wanted.setdefault(request, set()).add(address)
    try:
        options = options_of(next(iter(wanted)))
        if not _is_concurrent(next(iter(wanted))):
            return options, [partial(_one_after_the_other, wanted, options, limits)]
        fs, _ = storage_of(next(iter(wanted)), options, limits)
        return options, [partial(_ask, fs, request, of) for request, of in wanted.items()]
    except Exception as error:  # an address that is none, or a driver that is not there
        _warn(next(iter(wanted)), error)
        return {}, []


def _is_concurrent(address: str) -> bool:
    """Whether a driver may be asked by several threads at once; that of SFTP has one connection."""
    return bool(get_filesystem_class(protocol_of(address)).async_impl)


def _one_after_the_other(wanted: Mapping[str, Iterable[str]], options: Options, limits: Limits) -> Infos:
    """Infos of one server. One that does not answer in time is not asked again."""
    infos: Infos = {}
    request = next(iter(wanted))
    try:
        with announced(masked_value(request)):
            fs, _ = storage_of(request, options, limits)
    except Exception as error:
        _warn(request, error)
        return infos
    for request, addresses in wanted.items():
        try:
            infos |= _infos(fs, request, addresses)
        except Exception as error:
            _warn(request, error)
            if not isinstance(error, FileNotFoundError | PermissionError):
                break
    return infos


def _ask(fs: AbstractFileSystem, request: str, addresses: Iterable[str]) -> Infos:
    try:
        return _infos(fs, request, addresses)
    except Exception as error:  # drivers raise errors of their own types, and again when the files are opened
        _warn(request, error)
        return {}


def _infos(fs: AbstractFileSystem, request: str, addresses: Iterable[str]) -> Infos:
    """Infos of the wanted files in a folder, or of the file that is the request itself."""
    path, paths = fs._strip_protocol(request), {address: fs._strip_protocol(address) for address in addresses}
    with announced(masked_value(request)):
        if path in paths.values():
            return {address: fs.info(path) for address in paths}
        fs.invalidate_cache(path)
        infos = {info["name"]: info for info in fs.ls(path, detail=True)}
    return {address: infos[path] for address, path in paths.items() if path in infos}


def _warn(request: str, error: Exception) -> None:
    fault = network_fault(error)
    said = getattr(fault, "strerror", None) or f"{type(fault).__name__}: {fault}"
    logger.warning("cannot look into %s (%s)", masked_value(request), one_line(said))
