"""What all tables have in common."""

from __future__ import annotations

import pandera.pandas as pa_checks


class Table(pa_checks.DataFrameModel):
    """Base of the checks: exactly the named columns, in any order."""

    class Config:
        strict = True
