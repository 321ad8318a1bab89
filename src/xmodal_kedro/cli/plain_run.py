"""`kedro run`, which tells a user's mistake in plain words."""

from __future__ import annotations

import traceback
from typing import Any

import click
from kedro.config import MissingConfigException
from kedro.framework.cli.project import run as kedro_run
from kedro.io import DatasetError
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from xmodal_kedro.errors import OF_THE_OUTSIDE

VERBOSE_VARIABLE = "XMODAL_VERBOSE"
CONFIGURATION_ERRORS = (MissingConfigException, OmegaConfBaseException, YAMLError)


class PlainRun(click.Command):
    """A command that ends in one message where something other than the code is at fault."""

    def invoke(self, ctx: click.Context) -> Any:
        verbose = ctx.params.pop("verbose")
        try:
            return super().invoke(ctx)
        except Exception as error:  # whose fault it is, is told below; a fault of the code goes on as it was
            message = plain_words(error)
            if message is None:
                raise
            if verbose:
                traceback.print_exc()
            raise click.ClickException(message) from error


def plain_words(error: BaseException) -> str | None:
    """What to tell a user in place of a traceback; None where the code may be at fault."""
    if isinstance(error, click.ClickException):
        return error.message
    if isinstance(error, DatasetError):
        cause = error.__cause__
        return str(error) if isinstance(error, OF_THE_OUTSIDE) or cause is None or plain_words(cause) else None
    if isinstance(error, (*OF_THE_OUTSIDE, *CONFIGURATION_ERRORS)) or _is_told_by_kedro(error):
        return str(error)
    return None


def _is_told_by_kedro(error: BaseException) -> bool:
    """Whether Kedro itself refuses what it was asked, such as a pipeline that is not there."""
    modules = [frame.f_globals["__name__"] for frame, _ in traceback.walk_tb(error.__traceback__)]
    return isinstance(error, ValueError) and modules[-1:] != [] and modules[-1].startswith("kedro.")


run = PlainRun(
    name="run",
    callback=kedro_run.callback,
    params=[
        *kedro_run.params,
        click.Option(
            ["--verbose", "-v"],
            is_flag=True,
            envvar=VERBOSE_VARIABLE,
            help="Show the traceback of an error also where a file, a parameter or the machine is at fault.",
        ),
    ],
    help=kedro_run.help,
)
