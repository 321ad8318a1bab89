"""Fingerprints as version 0.1 of this project computed them, by which its results are recognised and kept.

A shard that it stored has the fingerprint in its footer. It is compared with the one that the planned job would have
had in that version. See `recipes.version_0_1` for what that version hashed.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd
import pyarrow as pa
from pydantic import BaseModel

from xmodal_kedro.datasets.fingerprint import Job, canonical
from xmodal_kedro.recipes import recipe_of, version_0_1


class NotInVersion01Error(Exception):
    """Version 0.1 could not have made this."""


def legacy_fingerprints(job: Job, options: Mapping[str, Any] | None = None) -> set[str]:
    """Fingerprints under which version 0.1 may have stored a job's result: one for each Python version.

    Empty if it cannot have made the result: the recipe is newer or has another version, a parameter did not exist, or a
    shard was made later. The arguments are those of `fingerprint`.
    """
    if _version_of(job) > 1:
        return set()
    fingerprints = set()
    for python in ("3.11", "3.12", "3.13"):
        try:
            text = json.dumps(_Legacy(python).canonical((job, options)), sort_keys=True, separators=(",", ":"))
        except NotInVersion01Error:
            continue
        fingerprints.add(hashlib.blake2b(text.encode(), digest_size=16).hexdigest())
    return fingerprints


def _version_of(job: Any) -> int:
    """Version of the recipe of a job; that of bytes has always been 1."""
    function = job
    while hasattr(function, "func") or hasattr(function, "job"):
        function = function.func if hasattr(function, "func") else function.job
    return 1 if function is bytes else recipe_of(function).version


@dataclasses.dataclass(frozen=True)
class _Legacy:
    python: str

    def canonical(self, value: Any) -> Any:
        if isinstance(value, list | tuple):
            return [self.canonical(item) for item in value]
        if isinstance(value, Mapping):
            pairs = ([self.canonical(k), self.canonical(v)] for k, v in value.items())
            return {"mapping": sorted(pairs, key=repr)}
        if value is None or isinstance(value, bool | int | str | float | bytes | pd.DataFrame | pa.Table):
            return canonical(value)
        return self._object(value)

    def _object(self, value: Any) -> Any:
        """As version 0.1 hashed a call, what has a fingerprint of its own, parameters, a dataclass or a function."""
        if isinstance(value, functools.partial):
            return {"call": [self.canonical(part) for part in (value.func, value.args, value.keywords)]}
        stored = getattr(value, "legacy_fingerprint", getattr(value, "fingerprint", None))
        if isinstance(stored, str):
            if not stored:
                raise NotInVersion01Error
            return {"fingerprint": stored}
        if isinstance(value, BaseModel):
            return {_known("parameters", type(value))["name"]: self.canonical(_fields(value))}
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = {field.name: self.canonical(getattr(value, field.name)) for field in dataclasses.fields(value)}
            return {_known("classes", type(value)): fields}
        return self._function(value)

    def _function(self, value: Any) -> Any:
        if value is bytes:
            return {"function": "builtins.bytes", "code": ""}
        known = version_0_1()["recipes"].get(recipe_of(value).name)
        if known is None:
            raise NotInVersion01Error
        return {"function": known["function"], "code": known["code"][self.python]}


def _known(kind: str, cls: type) -> Any:
    """What version 0.1 recorded of a class; raises `NotInVersion01Error` where it had none of that name."""
    if cls.__name__ not in version_0_1()[kind]:
        raise NotInVersion01Error
    return version_0_1()[kind][cls.__name__]


def _fields(params: BaseModel) -> dict[str, Any]:
    """`model_dump` as version 0.1 returned it.

    Raises:
        NotInVersion01Error: if a field that was added later is set.
    """
    known = _known("parameters", type(params))["fields"]
    if any(getattr(params, name) != field.default for name, field in _added(params, known)):
        raise NotInVersion01Error
    values = params.model_dump()
    return {name: _value(getattr(params, name), values[name]) for name in known}


def _added(params: BaseModel, known: list[str]) -> Iterator[tuple[str, Any]]:
    return ((name, field) for name, field in type(params).model_fields.items() if name not in known)


def _value(value: Any, dumped: Any) -> Any:
    return _fields(value) if isinstance(value, BaseModel) else dumped
