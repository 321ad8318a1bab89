"""The project's own commands: `kedro run`, whose user reads tracebacks only for faults of the code."""

from __future__ import annotations

import click

from .plain_run import run

__all__ = ["cli", "run"]


@click.group(name="xmodal-kedro")
def cli() -> None:
    """Commands of this project."""


cli.add_command(run)
