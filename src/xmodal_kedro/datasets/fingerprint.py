"""Fingerprints of jobs: equal fingerprints mean that running the job again would give the same result."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import io
import json
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
import pyarrow as pa
from pydantic import BaseModel

from xmodal_kedro.datasets.source_code import code_digest


def fingerprint(job: Callable[[], Any], options: Mapping[str, Any] | None = None) -> str:
    """Hash a job by its function, name and code, and the content of its arguments.

    An argument with a `fingerprint` of its own (a shard, a file) stands for the content behind it, so a job's
    fingerprint changes when its function, the code behind that, its parameters or its inputs do, and only then.

    Args:
        job: a function, a `functools.partial` of one, or a callable dataclass.
        options: how the result will be stored.

    Returns:
        32 hex digits, the same in every process and on every machine.

    Raises:
        TypeError: for an argument whose content is not known how to hash.
    """
    canonical = json.dumps(_canonical((job, options)), sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(canonical.encode(), digest_size=16).hexdigest()


def _canonical(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return {"float": value.hex()}
    if isinstance(value, bytes):
        return {"bytes": hashlib.sha256(value).hexdigest()}
    if isinstance(value, list | tuple):
        return [_canonical(item) for item in value]
    if isinstance(value, Mapping):
        return {"mapping": sorted(([_canonical(k), _canonical(v)] for k, v in value.items()), key=repr)}
    return _canonical_object(value)


def _canonical_object(value: Any) -> Any:
    if isinstance(value, functools.partial):
        return {"call": [_canonical(value.func), _canonical(value.args), _canonical(value.keywords)]}
    if isinstance(value, pd.DataFrame):
        return _canonical(pa.Table.from_pandas(value, preserve_index=False))
    if isinstance(value, pa.Table):
        return {"table": _table_hash(value)}
    if isinstance(getattr(value, "fingerprint", None), str):
        return {"fingerprint": value.fingerprint}
    name = _qualified_name(value if callable(value) and hasattr(value, "__qualname__") else type(value))
    if isinstance(value, BaseModel):
        return {name: _canonical(value.model_dump())}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {name: {field.name: _canonical(getattr(value, field.name)) for field in dataclasses.fields(value)}}
    if hasattr(value, "__qualname__") and "<" not in value.__qualname__:
        return {"function": name, "code": code_digest(value)}
    raise TypeError(
        f"cannot fingerprint {value!r}: give a shard's job module-level functions, and arguments that are plain "
        "values, typed parameters, tables, shards or files"
    )


def _qualified_name(thing: Any) -> str:
    return f"{thing.__module__}.{thing.__qualname__}"


def _table_hash(table: pa.Table) -> str:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema.remove_metadata()) as writer:
        writer.write_table(table.replace_schema_metadata(None).combine_chunks())
    return hashlib.sha256(sink.getbuffer()).hexdigest()
