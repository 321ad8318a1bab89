"""The command line of a run, in a form that reproduces it."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from xmodal_kedro.masking import masked_value

NEXT_PARAMETER = re.compile(r",(?=[^,=]*=)")
"""Between two items `name=value` of `--params`."""
ENV_OPTIONS = ("--env", "-e")


def typed_command(arguments: Sequence[str] = sys.argv, environment: Mapping[str, str] = os.environ) -> str | None:
    """The command line of this process; None if it is not a Kedro command, such as in a notebook.

    An env from the variable `KEDRO_ENV` is added, as another shell may not have it. Secrets in it are masked.
    """
    program, *options = arguments
    if Path(program).name == "kedro":
        start = ["kedro"]
    elif Path(program).parts[-2:] == ("xmodal_kedro", "__main__.py"):
        start = ["python", "-m", "xmodal_kedro"]
    else:
        return None
    env = environment.get("KEDRO_ENV")
    if env and not any(option.partition("=")[0] in ENV_OPTIONS for option in options):
        options = [*options, f"--env={env}"]
    return shlex.join([*start, *map(_masked_option, options)])


def _masked_option(option: str) -> str:
    return ",".join(map(masked_value, NEXT_PARAMETER.split(option)))
