"""What all tables have in common, and Pandera without what this project has no use for."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any, cast

import pandera.pandas as pa_checks
import pyarrow as pa

UNUSED = "dask.dataframe"

# Pandera loads it where it is installed, to check tables of a kind that there is none of here: half of the start of
# every process that knows a table. Where its import fails once, Pandera does without.
_loaded = UNUSED in sys.modules
if not _loaded:
    sys.modules[UNUSED] = cast("ModuleType", None)
try:
    import_module("pandera.typing.dask")
finally:
    if not _loaded:
        del sys.modules[UNUSED]


ARROW = "arrow"
"""Key of a column's metadata: its type in storage, where the type that Pandera checks does not say it."""
PLAIN_TYPES = {
    "string[pyarrow]": pa.string(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "float32": pa.float32(),
    "bool": pa.bool_(),
}
"""Types in storage of the columns that Pandera knows by these names."""


class Table(pa_checks.DataFrameModel):
    """Base of the tables: exactly the named columns, in any order. One definition serves checks and storage."""

    class Config:
        strict = True

    @classmethod
    def arrow_schema(cls) -> pa.Schema:
        """The columns as they are stored, in the order of their definition.

        Raises:
            KeyError: for a column of another type that was not made by `column`.
        """
        columns = cls.to_schema().columns
        return pa.schema(
            [(name, (of.metadata or {}).get(ARROW) or PLAIN_TYPES[str(of.dtype)]) for name, of in columns.items()]
        )


def column(arrow: pa.DataType, **checks: Any) -> Any:
    """A field whose type in storage Python's annotation does not say, such as a list of float32.

    Args:
        arrow: that type.
        checks: as of Pandera's `Field`.
    """
    return pa_checks.Field(metadata={ARROW: arrow}, **checks)
