"""The project's own commands: `kedro run`, which shows tracebacks only for bugs in the code."""

from __future__ import annotations

import click

from .plain_run import run

__all__ = ["cli", "run"]


@click.group(name="xmodal-kedro")
def cli() -> None:
    """Commands of this project."""


cli.add_command(run)
