"""The checks of a table on its Arrow columns, without a copy in pandas: many times faster than Pandera's.

They only find tables that are right. What they do not find right is for Pandera, which says what is wrong, and where.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa_checks
import pyarrow as pa
import pyarrow.compute as pc

from .base import Table

COMPARISONS: Mapping[str, Callable[..., Any]] = {
    "greater_than": lambda column, min_value: pc.greater(column, min_value),
    "greater_than_or_equal_to": lambda column, min_value: pc.greater_equal(column, min_value),
    "less_than": lambda column, max_value: pc.less(column, max_value),
    "less_than_or_equal_to": lambda column, max_value: pc.less_equal(column, max_value),
    "isin": lambda column, allowed_values: pc.is_in(column, pa.array(list(allowed_values), column.type)),
}
"""Whether each value passes, by the name of Pandera's check; arguments are the check's statistics."""


def is_right(table: pa.Table, model: type[Table]) -> bool:
    """Whether a table surely passes all checks of its model. False says nothing: ask Pandera."""
    columns, checks, arrow_schema = _definition(model)
    if not table.schema.equals(arrow_schema, check_metadata=False):
        return False
    if not all(_is_right(table[name], column) for name, column in columns.items()):
        return False
    rows = Rows(table)
    # Not `check(rows)`, which takes a data frame alone: all columns would be converted.
    return all(bool(np.all(check._check_fn(rows))) for check in checks)


class Rows(dict[str, pd.Series]):
    """Columns for checks of whole rows, each converted as it is asked for.

    In place of lists and binary values it has their lengths; see `base.lengths`.
    """

    def __init__(self, table: pa.Table) -> None:
        super().__init__()
        self._table = table

    def __missing__(self, name: str) -> pd.Series:
        column = self._table[name]
        if pa.types.is_list(column.type):
            column = pc.list_value_length(column)
        elif pa.types.is_binary(column.type):
            column = pc.binary_length(column)
        self[name] = column.to_pandas()
        return self[name]


@cache
def _definition(model: type[Table]) -> tuple[dict[str, pa_checks.Column], list[pa_checks.Check], pa.Schema]:
    schema = model.to_schema()
    return schema.columns, schema.checks, model.arrow_schema()


def _is_right(column: pa.ChunkedArray, definition: pa_checks.Column) -> bool:
    if not definition.nullable:
        # NaN is a null value in pandas.
        is_null = column.null_count or (pa.types.is_floating(column.type) and pc.any(pc.is_nan(column)).as_py())
        if is_null:
            return False
    if definition.unique and pc.count_distinct(column).as_py() != len(column):
        return False
    return all(_passes(column, check) for check in definition.checks)


def _passes(column: pa.ChunkedArray, check: pa_checks.Check) -> bool:
    compare = COMPARISONS.get(check.name or "")
    # An empty or null column has no value that fails.
    return compare is not None and pc.all(compare(column, **(check.statistics or {}))).as_py() is not False
