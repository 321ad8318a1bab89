"""The project's own commands: `kedro run`, which shows tracebacks only for bugs in the code, and `kedro tag`."""

from __future__ import annotations

import click

from .plain_run import run
from .tag import tag

__all__ = ["cli", "run", "tag"]


@click.group(name="xmodal-kedro")
def cli() -> None:
    """Commands of this project."""


cli.add_command(run)
cli.add_command(tag)
