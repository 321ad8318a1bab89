"""The project's context: Kedro's, with a wrong parameter told in plain words."""

from __future__ import annotations

import re
from typing import Any

import click
from kedro.framework.context import KedroContext
from kedro.validation.exceptions import ParameterValidationError

WHO_FAILED = re.compile(r"Failed to instantiate \w+ for parameter '\w+': ")


class ProjectContext(KedroContext):
    """Kedro's context; a user's mistake in a parameter ends in one message, without a traceback."""

    @property
    def params(self) -> dict[str, Any]:
        """Parameters of the run, typed.

        Raises:
            ClickException: naming every parameter that is wrong.
        """
        try:
            return super().params
        except ParameterValidationError as error:
            raise click.ClickException(WHO_FAILED.sub("", str(error))) from error
