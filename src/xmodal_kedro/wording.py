"""Numbers with what they count, for messages."""

from __future__ import annotations

import logging
from functools import cache


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 file` or `2 files`.

    Args:
        noun: what is counted, in the singular.
        plural: if it is not the singular and `s`.
    """
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def warn_once(logger: logging.Logger, message: str) -> None:
    """Log a warning, once in a process: several nodes read the same files."""
    _warn(logger.name, message)


@cache
def _warn(logger: str, message: str) -> None:
    logging.getLogger(logger).warning("%s", message)
