"""A user's recordings: a folder, a glob, a manifest, a file, or the URL of any of these."""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from fsspec.utils import glob_translate
from kedro.io import AbstractDataset, DatasetError

from xmodal_kedro.datasets.errors import DataError
from xmodal_kedro.datasets.listing import Options, by_name, kind_of, list_folder, list_named
from xmodal_kedro.datasets.manifest import is_manifest, read_manifest
from xmodal_kedro.storage import FileRef, Folder, local_path, protocol_of
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
        credentials: Mapping[str, Options] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """
        Args:
            path: a local path or an fsspec URL.
            credentials: fsspec's storage options by protocol, `{"s3": {"key": ...}}`. They are used only for addresses
                of their protocol, so that a manifest cannot send one storage's keys to another.
            metadata: for plugins; not used here.
        """
        local = local_path(path)
        self._is_empty = not path.strip()
        self._address = path if local is None else str(Path(local).absolute())
        self._credentials = dict(credentials or {})
        self._listed: dict[str, FileRef] | None = None
        self.metadata = metadata

    def load(self) -> Folder:
        files = self._list()
        if not files:
            raise DataError(f"no file at {self._address}: check the address; a glob goes below folders with **")
        return Folder(self._address, files)

    def save(self, data: NoReturn) -> None:
        raise DataError(f"{self._address} holds a user's recordings: nothing is written there")

    def _exists(self) -> bool:
        return bool(self._list())

    def _release(self) -> None:
        self._listed = None

    def _describe(self) -> dict[str, Any]:
        return {"path": self._address}

    def _list(self) -> dict[str, FileRef]:
        if self._listed is None:
            try:
                self._listed = by_name(self._find())
            except DatasetError:
                raise
            except Exception as error:  # storage drivers raise errors of their own types
                description = " ".join(f"{type(error).__name__}: {error}".split())
                raise DataError(
                    f"cannot list {self._address} ({description}): check the address, and for "
                    "storage elsewhere that its fsspec driver is installed and `sources` in conf/ENV/credentials.yml"
                ) from error
        return self._listed

    def _find(self) -> list[FileRef]:
        if self._is_empty:  # of a variable that is not set: the current folder is not meant
            raise DataError("the address is empty: name a folder, a glob, a manifest, a file, or the URL of one")
        _require_protocols(self._credentials)
        kind = kind_of(self._address, self._options)
        if kind == "directory":
            return list_folder(self._address, self._options)
        if kind == "file":
            folder, name = posixpath.split(self._address)
            (file,) = list_named({name: self._address}, self._credentials)
            return self._named_by(file, folder) if is_manifest(name) else [file]
        return self._match() if WILDCARD.search(self._address) else []

    def _named_by(self, manifest: FileRef, folder: str) -> list[FileRef]:
        addresses = {uri: _absolute(uri, folder) for uri in read_manifest(manifest)}
        return list_named(addresses, self._credentials)

    def _match(self) -> list[FileRef]:
        folder, beginning = posixpath.split(WILDCARD.split(self._address, maxsplit=1)[0])
        pattern = self._address.removeprefix(folder).lstrip("/")
        try:
            matches = re.compile(glob_translate(pattern)).match
        except ValueError as error:
            raise DataError(f"{self._address} is not a glob ({error}): put ** between slashes") from error
        if kind_of(folder, self._options) != "directory":
            return []
        prefix = beginning if protocol_of(folder) in LISTS_BY_PREFIX else ""
        max_depth = None if "**" in pattern else pattern.count("/") + 1
        files = list_folder(folder, self._options, prefix=prefix, max_depth=max_depth)
        return [file for file in files if matches(file.name)]

    @property
    def _options(self) -> Options:
        return self._credentials.get(protocol_of(self._address), {})


def _require_protocols(credentials: Mapping[str, Options]) -> None:
    """Check that credentials are storage options by protocol.

    Raises:
        DataError: naming the field, but not its value.
    """
    for protocol, options in credentials.items():
        if not isinstance(options, Mapping):
            raise DataError(
                f"`sources` in conf/ENV/credentials.yml: {protocol} holds no storage options: put them below their "
                "protocol, such as `s3: {key: ..., secret: ...}`"
            )


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
