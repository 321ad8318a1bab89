"""The project's context: Kedro's, with wrong parameters reported in one plain message."""

from __future__ import annotations

import logging
import re
from contextlib import suppress
from os import PathLike
from pathlib import Path
from typing import Any

import click
from kedro.config import MissingConfigException
from kedro.framework.context import KedroContext
from kedro.framework.project import pipelines
from kedro.validation.exceptions import ParameterValidationError

from xmodal_kedro.masking import mask_logs, remember, remember_environment
from xmodal_kedro.params.choices import BENCHMARKS
from xmodal_kedro.params.places import AUTO, PLACES

logger = logging.getLogger(__name__)

PYDANTIC_PREFIX = re.compile(r"Failed to instantiate \w+ for parameter '\w+': ")


class ProjectContext(KedroContext):
    """Kedro's context. A user's mistake in an env or a parameter ends in one message, without a traceback.

    Raises:
        ClickException: if the given env has no configuration.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        mask_logs()
        remember_environment()
        remember(self._runtime_params or {})
        with suppress(MissingConfigException):
            remember(self.config_loader["credentials"])
        folder = Path(self.config_loader.conf_source)
        if self.env and folder.is_dir() and not (folder / self.env).is_dir():
            known = sorted(path.name for path in folder.iterdir() if path.is_dir())
            raise click.ClickException(f"there is no env {self.env!r}: {folder} has {', '.join(known)}")

    @property
    def params(self) -> dict[str, Any]:
        """Parameters of the run, typed.

        Raises:
            ClickException: naming every parameter that is wrong.
        """
        self._refuse_unknown()
        try:
            params = super().params
        except ParameterValidationError as error:
            raise click.ClickException(PYDANTIC_PREFIX.sub("", str(error))) from error
        self._warn_of_unread()
        return params

    def _warn_of_unread(self) -> None:
        """Warn of paths that the catalog of this env does not read, such as that of `sample`, which has its own."""
        paths = [
            str(entry.get("path") or entry.get("filepath"))
            for entry in self.config_loader["catalog"].values()
            if isinstance(entry, dict)
        ]
        for name, value in (self._runtime_params or {}).items():
            if name in PLACES and value != AUTO and not any(path.startswith(str(value)) for path in paths):
                other = f"; --params transfer_eval.benchmark={name} takes that one" if name in BENCHMARKS else ""
                logger.warning(
                    "--params %s=%s: this env, with this benchmark, reads nothing from there%s", name, value, other
                )

    def _refuse_unknown(self) -> None:
        inputs = {name for pipeline in pipelines.values() for name in pipeline.inputs()}
        known = PLACES | {name.removeprefix("params:") for name in inputs if name.startswith("params:")}
        unknown = sorted(set(self._runtime_params or {}) - known)
        if unknown:
            raise click.ClickException(
                f"--params has unknown names: {', '.join(unknown)}; it takes {', '.join(sorted(known))}"
            )
        self._refuse_wrong_places()

    def _refuse_wrong_places(self) -> None:
        for name, value in sorted((self._runtime_params or {}).items()):
            if name not in PLACES or (value and isinstance(value, str | PathLike)):
                continue
            if value is None or value == "":  # such as an unset shell variable: the default would be used silently
                raise click.ClickException(f"--params {name}= is empty: set a path, or leave it out")
            # From a file or a notebook: `kedro run` itself keeps what is typed.
            raise click.ClickException(
                f"the path {name} is the {type(value).__name__} {value!r} and no text: put it in quotes as it is "
                f'called, `{name}: "{value}"` in a file of --config, `{{"{name}": "{value}"}}` in Python, '
                f"--params \"{name}='{value}'\" elsewhere"
            )
