"""What the plugins' commands bring along: MLflow, seconds of loading, and warnings that a user can do nothing about.

Kedro loads the commands of every plugin before any command, and kedro-mlflow's load MLflow with pandas: seconds that
`kedro registry list`, `kedro viz` and a mistyped parameter need not wait.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

from kedro.framework.cli.utils import LazyGroup

PLUGIN = "kedro_mlflow.framework.cli.cli"


class _Deferred(ModuleType):
    """Stands for the plugin's module. Whatever is asked of it, other than the commands' names, loads that."""

    def __init__(self) -> None:
        super().__init__(PLUGIN)
        self.commands = LazyGroup(
            name="Mlflow",
            help="Kedro plugin for interactions with mlflow.",
            lazy_subcommands={"mlflow": f"{__name__}.mlflow"},
        )

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(_load_plugin(), name)


def defer_mlflow_commands() -> None:
    """Have `kedro mlflow` load its plugin when it is called, in this process; nothing where it is loaded already."""
    sys.modules.setdefault(PLUGIN, _Deferred())


def hide_warnings_of_plugins() -> None:
    """Have Python's filters hide what Kedro-Viz says of its own code."""
    warnings.filterwarnings("ignore", message="ORJSONResponse is deprecated")


@contextmanager
def without_warnings_of_mlflow() -> Iterator[None]:
    """Hide what kedro-mlflow's own models have MLflow say as they are loaded; other warnings are shown at the end.

    MLflow puts filters of its own before all others, so that no filter hides it.
    """
    with warnings.catch_warnings(record=True) as caught:
        yield
    for warning in caught:
        if "Add type hints to the `predict` method" not in str(warning.message):
            warnings.showwarning(warning.message, warning.category, warning.filename, warning.lineno)


def __getattr__(name: str) -> Any:
    if name == "mlflow":
        return _load_plugin().mlflow_commands
    raise AttributeError(name)


def _load_plugin() -> ModuleType:
    if isinstance(sys.modules.get(PLUGIN), _Deferred):
        del sys.modules[PLUGIN]
    with without_warnings_of_mlflow():
        return import_module(PLUGIN)
