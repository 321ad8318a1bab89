"""The base of all tables, and an import of Pandera without Dask."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any, cast

import pandera.pandas as pa_checks
import pyarrow as pa

UNUSED = "dask.dataframe"

# Pandera imports Dask if it is installed, to check Dask tables, which this project does not have. That is half of the
# start-up time of every process that uses a table. If the import fails, Pandera goes on without Dask.
_loaded = UNUSED in sys.modules
if not _loaded:
    sys.modules[UNUSED] = cast("ModuleType", None)
try:
    import_module("pandera.typing.dask")
finally:
    if not _loaded:
        del sys.modules[UNUSED]


ARROW = "arrow"
"""Key in a column's metadata of its Arrow type, if Pandera's type does not determine it."""
PLAIN_TYPES = {
    "string[pyarrow]": pa.string(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "float32": pa.float32(),
    "bool": pa.bool_(),
}
"""Arrow types of the columns by the name of their type in Pandera."""


class Table(pa_checks.DataFrameModel):
    """Base of the tables: exactly the named columns, in any order. One definition gives checks and Arrow schema."""

    class Config:
        strict = True

    @classmethod
    def arrow_schema(cls) -> pa.Schema:
        """The stored columns, in the order of their definition.

        Raises:
            KeyError: a column has a type outside `PLAIN_TYPES` and was not made by `column`.
        """
        columns = cls.to_schema().columns
        return pa.schema(
            [
                (name, (definition.metadata or {}).get(ARROW) or PLAIN_TYPES[str(definition.dtype)])
                for name, definition in columns.items()
            ]
        )


def lengths(column: Any) -> Any:
    """The length of each list or binary of a column, for checks of whole rows.

    Args:
        column: a pandas Series of them, or of their lengths, as `arrow_checks.Rows` has it.
    """
    return column if column.dtype.kind in "iu" else column.map(len)


def column(arrow: pa.DataType, **checks: Any) -> Any:
    """A field whose Arrow type its annotation does not determine, such as a list of float32.

    Args:
        arrow: its Arrow type.
        checks: arguments of Pandera's `Field`.
    """
    return pa_checks.Field(metadata={ARROW: arrow}, **checks)
