"""`kedro run`, which tells a user's mistake in plain words."""

from __future__ import annotations

import inspect
import traceback
from typing import Any

import click
from kedro.config import MissingConfigException
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.cli.utils import KedroCliError
from kedro.framework.project import pipelines
from kedro.io import DatasetError
from kedro.utils import load_obj
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from xmodal_kedro.errors import OF_THE_OUTSIDE

VERBOSE_VARIABLE = "XMODAL_VERBOSE"
CONFIGURATION_ERRORS = (MissingConfigException, OmegaConfBaseException, YAMLError)


class PlainRun(click.Command):
    """A command that ends in one message where something other than the code is at fault."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except KedroCliError as error:  # which would show in its message's place what was raised before it
            raise click.UsageError(error.message, ctx) from error

    def invoke(self, ctx: click.Context) -> Any:
        verbose = ctx.params.pop("verbose")
        if ctx.params.get("pipeline"):  # Kedro's older name of the option, of which it warns
            named = ctx.params["pipeline"].split(",")
            ctx.params |= {"pipeline": None, "pipelines": [*(ctx.params.get("pipelines") or ()), *named]}
        try:
            _refuse_runner(ctx.params.get("runner") or "SequentialRunner", ctx.params.get("runner_params") or {})
            _refuse_pipelines(ctx.params.get("pipelines") or [])
            return super().invoke(ctx)
        except Exception as error:  # whose fault it is, is told below; a fault of the code goes on as it was
            message = plain_words(error)
            if message is None:
                raise
            if verbose:
                traceback.print_exc()
            raise click.ClickException(message) from error


def _refuse_runner(name: str, options: dict[str, Any]) -> None:
    """Have a runner that is none, and what it does not take, told before anything is loaded for the run."""
    from kedro.runner import AbstractRunner

    try:
        runner = load_obj(name, "kedro.runner")
    except (ImportError, AttributeError, ValueError):
        runner = None
    if not (isinstance(runner, type) and issubclass(runner, AbstractRunner)):
        raise click.ClickException(
            f"--runner {name} is no runner: take SequentialRunner, ThreadRunner or ParallelRunner, or the full path of "
            "your own class"
        )
    taken = inspect.signature(runner).parameters
    unknown = sorted(options.keys() - taken.keys())
    if unknown and not any(parameter.kind is parameter.VAR_KEYWORD for parameter in taken.values()):
        raise click.ClickException(
            f"--runner-params names nothing of {name}: {', '.join(unknown)}; it takes {', '.join(taken)}"
        )


def _refuse_pipelines(names: list[str]) -> None:
    unknown = sorted({name for name in names if name not in pipelines})
    if unknown:
        known = ", ".join(sorted(name for name in pipelines if not name.startswith("_")))
        raise click.ClickException(f"there is no pipeline {', '.join(unknown)}: there are {known}")


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
