"""`kedro run`, which reports user errors as one message without a traceback."""

from __future__ import annotations

import inspect
import traceback
from copy import copy
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

from xmodal_kedro.cli.typed_params import read_params
from xmodal_kedro.errors import (
    OF_THE_OUTSIDE,
    MachineError,
    UserError,
    describe_fault,
    fault_of_machine,
    fault_of_storage,
)
from xmodal_kedro.masking import mask_logs, masked, remember_environment

RUNNER = "xmodal_kedro.up_to_date.UpToDateRunner"
"""Where the user names no runner."""
VERBOSE_VARIABLE = "XMODAL_VERBOSE"
CONFIGURATION_ERRORS = (MissingConfigException, OmegaConfBaseException, YAMLError)


class PlainRun(click.Command):
    """A command that ends with one message for errors that are not bugs in the code."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            if (clean := masked(error.message)) == error.message:
                raise
            raise click.UsageError(clean, ctx) from None
        except KedroCliError as error:  # it would show the exception raised before it instead of its message
            raise click.UsageError(masked(error.message), ctx) from error

    def invoke(self, ctx: click.Context) -> Any:
        remember_environment()
        mask_logs()
        verbose = ctx.params.pop("verbose")
        if ctx.params.get("pipeline"):  # deprecated option of Kedro, which would log a warning
            names = ctx.params["pipeline"].split(",")
            ctx.params |= {"pipeline": None, "pipelines": [*(ctx.params.get("pipelines") or ()), *names]}
        try:
            _refuse_runner(ctx.params.get("runner") or "SequentialRunner", ctx.params.get("runner_params") or {})
            _refuse_pipelines(ctx.params.get("pipelines") or [])
            return super().invoke(ctx)
        except Exception as error:  # `plain_words` finds its kind; bugs in the code are raised again
            message = plain_words(error)
            if message is None:
                raise
            if verbose:
                click.echo(masked(traceback.format_exc()), err=True)
            raise click.ClickException(masked(message)) from error


def _refuse_runner(name: str, options: dict[str, Any]) -> None:
    """Refuse unknown runners and runner options before anything is loaded for the run."""
    from kedro.runner import AbstractRunner

    try:
        runner = load_obj(name, "kedro.runner")
    except (ImportError, AttributeError, ValueError):
        runner = None
    if not (isinstance(runner, type) and issubclass(runner, AbstractRunner)):
        raise click.ClickException(
            f"--runner {name} is not a runner: use SequentialRunner, ThreadRunner or ParallelRunner, or the full path "
            "of your own class"
        )
    accepted = inspect.signature(runner).parameters
    unknown = sorted(options.keys() - accepted.keys())
    if unknown and not any(parameter.kind is parameter.VAR_KEYWORD for parameter in accepted.values()):
        raise click.ClickException(
            f"--runner-params has options that {name} does not take: {', '.join(unknown)}; it takes "
            f"{', '.join(accepted)}"
        )


def _refuse_pipelines(names: list[str]) -> None:
    unknown = sorted({name for name in names if name not in pipelines})
    if unknown:
        known = ", ".join(sorted(name for name in pipelines if not name.startswith("_")))
        raise click.ClickException(f"there is no pipeline {', '.join(unknown)}: there are {known}")


def plain_words(error: BaseException) -> str | None:
    """The message that replaces a traceback; None if the error may be a bug in the code.

    Kedro wraps errors of datasets in a `DatasetError` with a long text. Where a disk, a storage or the machine is at
    fault, the message is that of the wrapped error.
    """
    if isinstance(error, click.ClickException):
        return error.message
    if isinstance(error, DatasetError):
        cause = error.__cause__
        inner = _without_kedro(error)
        if inner is not None and inner is not error and _is_of_machine(inner):
            return plain_words(inner)
        return str(error) if isinstance(error, OF_THE_OUTSIDE) or cause is None or plain_words(cause) else None
    if fault := None if isinstance(error, OF_THE_OUTSIDE) else fault_of_machine(error):
        return describe_fault(error, fault)
    if not isinstance(error, OF_THE_OUTSIDE) and (said := fault_of_storage(error)):
        return said
    if isinstance(error, (*OF_THE_OUTSIDE, *CONFIGURATION_ERRORS)) or _is_raised_by_kedro(error):
        return str(error)
    return None


def _without_kedro(error: BaseException) -> BaseException | None:
    """The error that Kedro wraps, once or several times, in one of its own."""
    inner: BaseException | None = error
    while isinstance(inner, DatasetError) and not isinstance(inner, UserError):
        inner = inner.__cause__
    return inner


def _is_of_machine(error: BaseException) -> bool:
    """Whether a disk, a storage or the machine is at fault, and the dataset says nothing more."""
    return isinstance(error, OSError | MachineError) or (
        not isinstance(error, OF_THE_OUTSIDE) and bool(fault_of_machine(error) or fault_of_storage(error))
    )


def _is_raised_by_kedro(error: BaseException) -> bool:
    """Whether it is a ValueError of Kedro itself, such as for an unknown pipeline."""
    modules = [frame.f_globals["__name__"] for frame, _ in traceback.walk_tb(error.__traceback__)]
    return isinstance(error, ValueError) and modules[-1:] != [] and modules[-1].startswith("kedro.")


def _params_of_kedro() -> list[click.Parameter]:
    """Options of `kedro run`: `--params` keeps paths as they are typed, and another runner is the default."""
    options = [copy(option) for option in kedro_run.params]
    for option in options:
        if option.name == "params":
            option.callback = read_params
        if option.name == "runner":
            option.default = RUNNER
    return options


run = PlainRun(
    name="run",
    callback=kedro_run.callback,
    params=[
        *_params_of_kedro(),
        click.Option(
            ["--verbose", "-v"],
            is_flag=True,
            envvar=VERBOSE_VARIABLE,
            help="Show tracebacks also for errors of files, parameters and the machine.",
        ),
    ],
    help=kedro_run.help,
)
