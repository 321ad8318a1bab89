"""A user's recordings: a folder, a glob, a manifest, a file, or the URL of any of these."""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from fsspec.utils import glob_translate
from kedro.io import AbstractDataset, DatasetError

from xmodal_kedro.datasets.credentials import Credentials, Options, options_for, require_bound
from xmodal_kedro.datasets.errors import DataError
from xmodal_kedro.datasets.limits import read_limits
from xmodal_kedro.datasets.listing import by_name, kind_of, list_folder, list_named
from xmodal_kedro.datasets.manifest import is_manifest, read_manifest, without_query
from xmodal_kedro.masking import masked, masked_name, masked_value, remember
from xmodal_kedro.storage import FileRef, Folder, local_path, network_fault, protocol_of
from xmodal_kedro.storage.text_tables import stripped

WILDCARD = re.compile(r"[*?[]")

LISTS_BY_PREFIX = ("s3", "s3a", "gs", "gcs")
"""Object stores whose fsspec drivers can list only the names with a prefix."""


class SourcesDataset(AbstractDataset[NoReturn, Folder]):
    """The recordings that a user names. They are only read.

    - A folder: all files below it. Their names are relative to it.
    - A glob: the files that match; `*` matches within one folder, `**` across folders. Their names are relative to the
      folder before the first wildcard.
    - A manifest, `.csv` or `.parquet`: the files whose addresses are in its column `uri`. The addresses are also their
      names. Relative addresses start from the manifest's folder. A missing file is listed too.
    - Any other file: that file.

    Hidden files and folders (names that start with a dot) are left out, unless a manifest names them. The listing is
    kept until `release()`, so that all nodes of a run see the same files.
    """

    def __init__(
        self,
        *,
        path: str,
        credentials: Credentials | None = None,
        network: Mapping[str, float] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """
        Args:
            path: a local path or an fsspec URL.
            credentials: fsspec's storage options by protocol, `{"s3": {"key": ...}}`; of protocols whose addresses name
                a host, by that, `{"https": {"files.example.org": {"headers": ...}}}`. No other gets them.
            network: fields of `storage.Limits`: how patient to be with a server.
            metadata: for plugins; not used here.
        """
        self._limits = read_limits(network or {})
        local = local_path(path)
        self._is_empty = not path.strip()
        self._address = path if local is None else str(Path(local).absolute())
        remember(self._address)
        self._shown = masked_value(self._address)
        self._credentials = dict(credentials or {})
        self._listed: dict[str, FileRef] | None = None
        self.metadata = metadata

    def load(self) -> Folder:
        files = self._list()
        if not files:
            raise DataError(f"no file at {self._shown}: check the address; a glob goes below folders with **")
        return Folder(self._shown, files)

    def save(self, data: NoReturn) -> None:
        raise DataError(f"{self._shown} holds a user's recordings: nothing is written there")

    def _exists(self) -> bool:
        return bool(self._list())

    def _release(self) -> None:
        self._listed = None

    def content(self) -> None:
        """What the recordings are, only a run finds out: they may be on servers."""

    def _describe(self) -> dict[str, Any]:
        return {"path": self._shown}

    def _list(self) -> dict[str, FileRef]:
        if self._listed is None:
            try:
                self._listed = by_name(self._find())
            except DatasetError:
                raise
            except Exception as error:  # storage drivers raise errors of their own types
                fault = network_fault(error)
                said = getattr(fault, "strerror", None) or f"{type(fault).__name__}: {fault}"
                description = masked(" ".join(said.split()))
                raise DataError(
                    f"cannot list {self._shown} ({description}): check the address, and for "
                    "storage elsewhere that its fsspec driver is installed and `sources` in conf/ENV/credentials.yml"
                ) from error
        return self._listed

    def _find(self) -> list[FileRef]:
        if self._is_empty:  # of a variable that is not set: the current folder is not meant
            raise DataError("the address is empty: name a folder, a glob, a manifest, a file, or the URL of one")
        require_bound(self._credentials)
        kind = kind_of(self._address, self._options, self._limits)
        if kind == "directory":
            return list_folder(self._address, self._options, limits=self._limits)
        if kind == "file":
            folder, name = posixpath.split(without_query(self._address))
            (file,) = list_named({name: self._address}, self._credentials, self._limits)
            return self._named_by(file, folder) if is_manifest(name) else [file]
        return self._match() if WILDCARD.search(self._address) else []

    def _named_by(self, manifest: FileRef, folder: str) -> list[FileRef]:
        return list_named(named_addresses(read_manifest(manifest), folder), self._credentials, self._limits)

    def _match(self) -> list[FileRef]:
        folder, beginning = posixpath.split(WILDCARD.split(self._address, maxsplit=1)[0])
        pattern = self._address.removeprefix(folder).lstrip("/")
        try:
            matches = re.compile(glob_translate(pattern)).match
        except ValueError as error:
            raise DataError(f"{self._shown} is not a glob ({error}): put ** between slashes") from error
        if kind_of(folder, self._options, self._limits) != "directory":
            return []
        prefix = beginning if protocol_of(folder) in LISTS_BY_PREFIX else ""
        max_depth = None if "**" in pattern else pattern.count("/") + 1
        files = list_folder(folder, self._options, prefix=prefix, max_depth=max_depth, limits=self._limits)
        return [file for file in files if matches(file.name)]

    @property
    def _options(self) -> Options:
        return options_for(self._address, self._credentials)


def named_addresses(uris: Sequence[str], folder: str) -> dict[str, str]:
    """Absolute addresses by the names of the recordings: what a manifest says, without secrets.

    Of addresses that differ by nothing but secrets, all but the first have a number behind their name.
    """
    addresses: dict[str, str] = {}
    hidden: dict[str, list[str]] = {}
    for uri in uris:
        name = masked_name(uri)
        if name == uri:
            addresses[name] = _absolute(uri, folder)
        else:
            remember(uri, in_names=False)
            hidden.setdefault(name, []).append(uri)
    for name, alike in hidden.items():
        for number, uri in enumerate(sorted(alike), 1):
            addresses[name if number == 1 else f"{name}#{number}"] = uri
    return addresses


def _absolute(uri: str, folder: str) -> str:
    """The absolute address of `uri` in a manifest in `folder`; of a local file also if it is spelled in another way."""
    if local_path(uri) is None:
        return uri
    if local_path(folder) is not None:
        places = [_join(spelling, folder) for spelling in _spellings(uri)]
        return next((place for place in places if _is_there(place)), places[0])
    return _join(uri, folder)


def _is_there(place: str) -> bool:
    try:
        return Path(local_path(place) or place).exists()
    except OSError:  # such as for a name that is too long
        return False


def _join(uri: str, folder: str) -> str:
    path = local_path(uri)
    if path is None or path.startswith("/"):
        return uri
    joined = posixpath.join(folder, path)
    if local_path(folder) is not None:
        return joined
    protocol, _, place = joined.partition("://")
    return f"{protocol}://{posixpath.normpath(place)}"


def _spellings(uri: str) -> list[str]:
    """As it is written; without spaces at its ends and with forward slashes; with letters composed and decomposed."""
    path = stripped(uri).replace("\\", "/")
    return [uri, path, unicodedata.normalize("NFC", path), unicodedata.normalize("NFD", path)]
