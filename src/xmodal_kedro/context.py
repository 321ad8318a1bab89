"""The project's context: Kedro's, with a wrong parameter told in plain words."""

from __future__ import annotations

import re
from typing import Any, get_args

import click
from kedro.framework.context import KedroContext
from kedro.framework.project import pipelines
from kedro.validation.exceptions import ParameterValidationError

from xmodal_kedro.params import BenchmarkName

PLACES = {"source", "teachers", "truth", "data_root", *get_args(BenchmarkName)}
"""Run parameters that the catalog reads, not a node; the folder of a benchmark is told under its name."""

WHO_FAILED = re.compile(r"Failed to instantiate \w+ for parameter '\w+': ")


class ProjectContext(KedroContext):
    """Kedro's context; a user's mistake in a parameter ends in one message, without a traceback."""

    @property
    def params(self) -> dict[str, Any]:
        """Parameters of the run, typed.

        Raises:
            ClickException: naming every parameter that is wrong.
        """
        self._refuse_unknown()
        try:
            return super().params
        except ParameterValidationError as error:
            raise click.ClickException(WHO_FAILED.sub("", str(error))) from error

    def _refuse_unknown(self) -> None:
        inputs = {name for pipeline in pipelines.values() for name in pipeline.inputs()}
        known = PLACES | {name.removeprefix("params:") for name in inputs if name.startswith("params:")}
        unknown = sorted(set(self._runtime_params or {}) - known)
        if unknown:
            raise click.ClickException(
                f"--params names nothing of this project: {', '.join(unknown)}; it takes {', '.join(sorted(known))}"
            )
