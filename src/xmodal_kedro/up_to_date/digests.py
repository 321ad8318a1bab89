"""Digests of parameters and of code."""

from __future__ import annotations

import hashlib
import importlib.metadata
import inspect
import json
import platform
import re
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

from xmodal_kedro.datasets.digest import digest

DISTRIBUTION = "xmodal-kedro"


def digest_of(value: Any) -> str:
    """32 hex digits of a value that JSON has."""
    return digest(json.dumps(value, sort_keys=True))


def plain(value: Any) -> Any:
    """A parameter as JSON has it."""
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else repr(value)


def code_digest(function: Any) -> str | None:
    """Digest of this package's files, of the versions of Python and the libraries under it, and of the function's file.

    Of a `functools.partial`, the arguments count too. None if the file cannot be read, as of a cell of a notebook.
    """
    package = Path(__file__).parents[1]
    arguments = []
    while isinstance(function, partial):
        arguments.append(plain([function.args, function.keywords]))
        function = function.func
    try:
        source = Path(inspect.getsourcefile(inspect.unwrap(function)) or "")
        own = [] if source.is_relative_to(package) else [source.read_text()]
    except (OSError, TypeError, ValueError):
        return None
    return digest_of([_package(package), own, arguments])


@cache
def _package(package: Path) -> str:
    hashed = hashlib.blake2b(platform.python_version().encode(), digest_size=16)
    for file in sorted(package.rglob("*")):
        if file.is_file() and file.suffix not in (".pyc", ".pyo"):
            hashed.update(f"{file.relative_to(package)}\n".encode() + file.read_bytes())
    for requirement in _requirements():
        name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
        try:
            hashed.update(f"{name} {importlib.metadata.version(name)}\n".encode())
        except importlib.metadata.PackageNotFoundError:  # an optional one
            continue
    return hashed.hexdigest()


def _requirements() -> list[str]:
    try:
        return sorted(importlib.metadata.requires(DISTRIBUTION) or ())
    except importlib.metadata.PackageNotFoundError:  # a checkout that is not installed
        return []
