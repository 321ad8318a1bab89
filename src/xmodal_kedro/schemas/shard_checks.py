"""Checks of sharded tables, run in the worker that makes the shard."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import pyarrow as pa

from xmodal_kedro import schemas
from xmodal_kedro.schemas.arrow_checks import is_right

Tables: TypeAlias = pa.Table | Iterator[pa.Table]


@dataclass(frozen=True)
class CheckedShardJob:
    """A shard's job followed by the check of its output, table by table, in the same worker."""

    job: Callable[[], Tables]
    schema: str

    def __call__(self) -> Tables:
        output = self.job()
        if not isinstance(output, pa.Table):
            return self._checked(output)
        check(output, _model(self.schema))
        return output

    def _checked(self, tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
        model = _model(self.schema)
        known: dict[str, set[Any]] = {
            name: set() for name, column in model.to_schema().columns.items() if column.unique
        }
        for table in tables:
            check(table, model)
            for name, before in known.items():
                values = set(table[name].to_pylist())
                if repeated := before & values:
                    raise ValueError(f"{self.schema}.{name} repeats {min(repeated)!r} within its shard")
                before |= values
            checked = [table]
            del table
            yield checked.pop()  # without a name here, it is freed as soon as it is stored


class EachShard:
    """Validator for a sharded dataset's jobs: each shard is checked against a Pandera model when it is made.

    Args:
        schema: name of a `Table` in `schemas`.
    """

    def __init__(self, schema: str) -> None:
        self.schema = schema
        _model(schema)

    def validate(self, jobs: Mapping[str, Callable[[], Tables]]) -> dict[str, CheckedShardJob]:
        """Wrap each job with its check."""
        return {key: CheckedShardJob(job, self.schema) for key, job in jobs.items()}


def check(table: pa.Table, model: type[schemas.Table]) -> None:
    """Check a table against its model.

    Raises:
        pandera.errors.SchemaErrors: naming the columns, checks and values that are wrong.
    """
    if not is_right(table, model):
        model.validate(table.to_pandas(), lazy=True)


def _model(name: str) -> type[schemas.Table]:
    model: type[schemas.Table] = getattr(schemas, name)
    return model
