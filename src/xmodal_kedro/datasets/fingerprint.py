"""Fingerprints of jobs: equal fingerprints mean that running the job again would give the same result."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import inspect
import io
import json
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
import pyarrow as pa

from xmodal_kedro.datasets.digest import digest
from xmodal_kedro.recipes import Recipe, recipe_of

Job = Callable[[], Any]


def fingerprint(job: Job, options: Mapping[str, Any] | None = None) -> str:
    """Hash a job by the recipe of its function and the content of its arguments.

    An argument with its own `fingerprint` (a shard, a file) is represented by it. Typed parameters are represented by
    what `Params.identity` returns, and other dataclasses by their fields. Names of Python functions, classes and
    modules do not count. Code does not count either: the recipe's version represents it.

    Args:
        job: a function with a recipe, a `functools.partial` of one, or an object with such a job as its attribute
            `job`; or `functools.partial(bytes, content)`.
        options: how the result will be stored.

    Returns:
        32 hex digits, the same in every process and on every machine with the same versions of the recipe's libraries.

    Raises:
        TypeError: for a function without a recipe, or an argument whose content cannot be hashed.
    """
    canonical = json.dumps(_canonical_job(job, options), sort_keys=True, separators=(",", ":"))
    return digest(canonical)


def job_recipe(job: Job) -> Recipe | None:
    """The recipe of a job; None for a job that only returns bytes.

    Raises:
        TypeError: if its function has none.
    """
    function = _unwrapped(job)[0]
    return None if function is bytes else recipe_of(function)


def _canonical_job(job: Job, options: Mapping[str, Any] | None) -> Any:
    function, args, keywords = _unwrapped(job)
    recipe = job_recipe(job)
    if recipe is None:
        return [None, canonical(args), canonical(options)]
    arguments = inspect.signature(function).bind(*args, **keywords).arguments
    return [recipe.describe(), {name: canonical(value) for name, value in arguments.items()}, canonical(options)]


def _unwrapped(job: Any) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
    """Function and arguments of a job, without the wrapper that checks its result."""
    if isinstance(job, functools.partial):
        return job.func, job.args, job.keywords
    return _unwrapped(job.job) if hasattr(job, "job") else (job, (), {})


def canonical(value: Any) -> Any:
    """A JSON-able value that is equal for equal content.

    Raises:
        TypeError: for a value that cannot be hashed by content.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return {"float": value.hex()}
    if isinstance(value, bytes):
        return {"bytes": hashlib.sha256(value).hexdigest()}
    if isinstance(value, list | tuple):
        return [canonical(item) for item in value]
    if isinstance(value, Mapping):
        return {"mapping": sorted(([canonical(k), canonical(v)] for k, v in value.items()), key=repr)}
    return _canonical_object(value)


def _canonical_object(value: Any) -> Any:
    if isinstance(value, functools.partial):
        return {"job": _canonical_job(value, None)}
    if isinstance(value, pd.DataFrame):
        return canonical(pa.Table.from_pandas(value, preserve_index=False))
    if isinstance(value, pa.Table):
        return {"table": _table_hash(value)}
    if isinstance(getattr(value, "fingerprint", None), str):
        return {"fingerprint": value.fingerprint}
    if callable(getattr(value, "identity", None)):
        return {"parameters": canonical(value.identity())}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {"fields": {field.name: canonical(getattr(value, field.name)) for field in dataclasses.fields(value)}}
    raise TypeError(f"cannot fingerprint {value!r}: pass plain values, typed parameters, tables, shards or files")


def _table_hash(table: pa.Table) -> str:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema.remove_metadata()) as writer:
        writer.write_table(table.replace_schema_metadata(None).combine_chunks())
    return hashlib.sha256(sink.getbuffer()).hexdigest()
