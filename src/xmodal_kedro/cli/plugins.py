"""What the plugins' commands bring along: MLflow, seconds of loading, and warnings that a user can do nothing about.

Kedro loads the commands of every plugin before any command, and kedro-mlflow's load MLflow with pandas: seconds that
`kedro registry list`, `kedro viz` and a mistyped parameter need not wait.
"""

from __future__ import annotations

import os
import sys
import warnings
from importlib import import_module
from types import ModuleType
from typing import Any, TextIO

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


WARNINGS_OF_PLUGINS = (
    "Add type hints to the `predict` method",  # of kedro-mlflow's own model
    "ORJSONResponse is deprecated",  # of Kedro-Viz's server
)
"""What plugins report of their own code, which no user of this project can mend."""


def hide_warnings_of_plugins() -> None:
    """Do not show these, here and in processes that this one starts.

    Python's filters do not serve: MLflow puts one of its own before all others.
    """
    show = warnings.showwarning

    def show_others(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if not any(text in str(message) for text in WARNINGS_OF_PLUGINS):
            show(message, category, filename, lineno, file, line)

    warnings.showwarning = show_others
    # The server is a process of its own, which meets its warning before it loads this project.
    os.environ.setdefault("PYTHONWARNINGS", f"ignore:{WARNINGS_OF_PLUGINS[1]}")


def __getattr__(name: str) -> Any:
    if name == "mlflow":
        return _load_plugin().mlflow_commands
    raise AttributeError(name)


def _load_plugin() -> ModuleType:
    if isinstance(sys.modules.get(PLUGIN), _Deferred):
        del sys.modules[PLUGIN]
    return import_module(PLUGIN)
