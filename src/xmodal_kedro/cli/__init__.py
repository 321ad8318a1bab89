"""The project's own commands, which Kedro finds here; they are imported when they are used.

Kedro's framework logs to stdout as it is imported, where `python -m xmodal_kedro tag` prints its results.
"""

from __future__ import annotations

from typing import Any

__all__ = ["cli", "run", "tag"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from xmodal_kedro.cli import commands

        return getattr(commands, name)
    raise AttributeError(name)
