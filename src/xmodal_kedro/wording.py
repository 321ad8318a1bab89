"""Numbers with what they count, for messages."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 file` or `2 files`.

    Args:
        noun: what is counted, in the singular.
        plural: if it is not the singular and `s`.
    """
    return f"{number} {noun if number == 1 else plural or noun + 's'}"
