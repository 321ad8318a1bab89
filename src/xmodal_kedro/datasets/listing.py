"""Listing files: names, sizes and times in any storage, without reading their content."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from fsspec import AbstractFileSystem

from xmodal_kedro.datasets.credentials import Credentials, Options, options_for
from xmodal_kedro.datasets.errors import DataError
from xmodal_kedro.datasets.remote_infos import look_up
from xmodal_kedro.masking import masked, masked_value
from xmodal_kedro.storage import (
    DEFAULT_LIMITS,
    SAFE_PROTOCOLS,
    WEB_PROTOCOLS,
    FileRef,
    Limits,
    announced,
    local_path,
    network_fault,
    protocol_of,
    storage_of,
)

logger = logging.getLogger(__name__)

VERSION_FIELDS = ("ETag", "etag", "generation", "Content-MD5", "Last-Modified")
"""Fields in which drivers report an identifier of the content, best first."""

LISTED_BY_FOLDER = (*WEB_PROTOCOLS, "sftp")
"""Protocols whose drivers list one folder after the other, and leave out those that fail."""


def kind_of(address: str, options: Options, limits: Limits = DEFAULT_LIMITS) -> Literal["file", "directory"] | None:
    """Whether an address is a file or a directory; None if there is neither."""
    if (path := local_path(address)) is not None:
        return "directory" if Path(path).is_dir() else "file" if Path(path).exists() else None
    if protocol_of(address) in WEB_PROTOCOLS and address.endswith("/"):
        return "directory"
    fs, path = storage_of(address, options, limits)
    fs.invalidate_cache()
    try:
        with announced(masked_value(address)):
            return "directory" if fs.info(path)["type"] == "directory" else "file"
    except FileNotFoundError as error:
        fault = network_fault(error)
        if isinstance(fault, FileNotFoundError):
            return None
        raise fault from error


def list_folder(
    address: str,
    options: Options,
    *,
    prefix: str = "",
    max_depth: int | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> list[FileRef]:
    """The files below a folder, without hidden ones (a part of the name begins with a dot).

    Args:
        prefix: prefix of the names, so that an object store need not list others.
        max_depth: max number of parts of a name; if storage lists folder by folder, deeper folders are not entered.
    """
    if (path := local_path(address)) is not None:
        return list(_walk(path, max_depth))
    fs, root = storage_of(address, options, limits)
    fs.invalidate_cache()
    with announced(masked_value(address)):
        options_of_find: dict[str, Any] = {"prefix": prefix} if prefix else {}
        if protocol_of(address) in LISTED_BY_FOLDER:
            if protocol_of(address) in WEB_PROTOCOLS:
                _list_page(fs, root)
            options_of_find["on_error"] = _refuse_lost_folder
        found = fs.find(root, detail=True, **options_of_find)
    head = root.rstrip("/") + "/"
    infos = {path.removeprefix(head): info for path, info in found.items() if not path.endswith("/")}
    addresses = {name: fs.unstrip_protocol(info["name"]) for name, info in infos.items() if not _is_hidden(name)}
    if protocol_of(address) in WEB_PROTOCOLS:  # their listings do not report sizes
        return _list(addresses, lambda found: options if _server(found) == _server(address) else {}, limits)
    return [_remote_file(name, address, infos[name], options, limits) for name, address in addresses.items()]


def _list_page(fs: AbstractFileSystem, root: str) -> None:
    """Ask for the first page, as fsspec takes one that is not given for an empty one."""
    try:
        fs.ls(root, detail=False)
    except FileNotFoundError as error:
        fault = network_fault(error)
        if not isinstance(fault, FileNotFoundError):
            raise fault from error


def _refuse_lost_folder(error: Exception) -> None:
    """Raise where a folder is not listed for now: its files are not gone, and what was made of them is to stay."""
    fault = network_fault(error)
    if not isinstance(fault, FileNotFoundError | PermissionError):
        raise fault from error
    logger.warning("a folder is left out: %s", masked(str(getattr(fault, "strerror", None) or fault)))


def list_named(
    addresses: Mapping[str, str], credentials: Credentials, limits: Limits = DEFAULT_LIMITS
) -> list[FileRef]:
    """Files by name and address. A file that is missing, or must not be accessed, is listed with size 0.

    Args:
        credentials: storage options, see `options_for`.
    """
    return _list(addresses, lambda address: options_for(address, credentials), limits)


def _list(addresses: Mapping[str, str], options_of: Callable[[str], Options], limits: Limits) -> list[FileRef]:
    files: list[FileRef] = []
    remote: dict[tuple[str, str], dict[str, str]] = {}
    for name, address in addresses.items():
        if (path := local_path(address)) is not None:
            files.append(_local_file(name, path, _status(Path(path))))
        elif protocol_of(address) in SAFE_PROTOCOLS:
            remote.setdefault(_server(address), {})[name] = address
        else:
            files.append(FileRef(name, address, 0, 0))
    options_of_servers, infos = look_up([set(named.values()) for named in remote.values()], options_of, limits)
    for named, options in zip(remote.values(), options_of_servers, strict=True):
        files += [_remote_file(name, of, infos.get(of, {}), options, limits) for name, of in named.items()]
    return files


def _server(address: str) -> tuple[str, str]:
    """Protocol, and host with port and user; of protocols whose address begins with a bucket, that."""
    return protocol_of(address), address.partition("://")[2].partition("/")[0]


def by_name(files: Iterable[FileRef]) -> dict[str, FileRef]:
    """Files by their names.

    Raises:
        DataError: for two files of one name, which only happens with names that are not UTF-8.
    """
    named: dict[str, FileRef] = {}
    for file in files:
        if named.setdefault(file.name, file) is not file:
            raise DataError(f"two files are listed as {file.name!r}, {file.shown!r} is one: rename it")
    return named


def _walk(root: str, max_depth: int | None) -> Iterator[FileRef]:
    """Every file below `root`, also through linked folders, each once.

    A folder that cannot be listed is yielded like a file. Opening it raises the error.
    """
    top = Path(root).stat()
    entered = {(top.st_dev, top.st_ino)}
    waiting = [("", str(Path(root).absolute()))]
    for prefix, folder in waiting:
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            if not prefix:
                raise
            yield _local_file(prefix.rstrip("/"), folder, None)
            continue
        for entry in entries:
            if entry.name.startswith("."):
                continue
            name, status = prefix + entry.name, _status(entry)
            if status is None or not stat.S_ISDIR(status.st_mode):
                yield _local_file(name, entry.path, status)
            elif (status.st_dev, status.st_ino) not in entered and (not max_depth or name.count("/") + 1 < max_depth):
                entered.add((status.st_dev, status.st_ino))
                waiting.append((name + "/", entry.path))


def _status(entry: Path | os.DirEntry[str]) -> os.stat_result | None:
    try:
        return entry.stat()
    except (OSError, ValueError):  # a broken link or an invalid name: opening it raises the error
        return None


def _local_file(name: str, path: str, status: os.stat_result | None) -> FileRef:
    size_bytes, modified_ns = (status.st_size, status.st_mtime_ns) if status else (0, 0)
    return FileRef(_printable(name), path, size_bytes, modified_ns)


def _printable(name: str) -> str:
    """A file name that tables can hold, also if its bytes are not UTF-8."""
    return name if name.isascii() else name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))


def _remote_file(name: str, address: str, info: Mapping[str, Any], options: Options, limits: Limits) -> FileRef:
    modified = info.get("mtime") or info.get("LastModified") or info.get("last_modified") or 0
    seconds = modified.timestamp() if isinstance(modified, datetime) else modified
    version = next((info[field] for field in VERSION_FIELDS if info.get(field)), "")
    modified_ns = int(seconds * 1e9) if isinstance(seconds, int | float) else 0
    return FileRef(name, address, info.get("size") or 0, modified_ns, str(version).strip('"'), options, limits)
