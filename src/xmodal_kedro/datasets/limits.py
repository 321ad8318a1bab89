"""How patient to be with servers, as globals.yml says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from xmodal_kedro.datasets.errors import DataError
from xmodal_kedro.storage import Limits


def read_limits(network: Mapping[str, float]) -> Limits:
    """Limits from the fields of `network`.

    Raises:
        DataError: for a field that is not known, or no number.
    """
    known = {field.name for field in fields(Limits)} - {"max_bytes"}
    for name, value in network.items():
        if name not in known or isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise DataError(f"`network` in globals.yml: {name} is {value!r}: set {', '.join(sorted(known))} to numbers")
    return Limits(**{name: float(value) for name, value in network.items()})
