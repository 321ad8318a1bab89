"""What all tables have in common, and Pandera without what this project has no use for."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import cast

import pandera.pandas as pa_checks

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


class Table(pa_checks.DataFrameModel):
    """Base of the checks: exactly the named columns, in any order."""

    class Config:
        strict = True
