"""The commands of kedro-mlflow without MLflow, until one of them is asked for.

Kedro loads the commands of every plugin before any command, and kedro-mlflow's load MLflow with pandas: seconds that
`kedro registry list`, `kedro viz` and a mistyped parameter need not wait.
"""

from __future__ import annotations

import sys
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


def __getattr__(name: str) -> Any:
    if name == "mlflow":
        return _load_plugin().mlflow_commands
    raise AttributeError(name)


def _load_plugin() -> ModuleType:
    if isinstance(sys.modules.get(PLUGIN), _Deferred):
        del sys.modules[PLUGIN]
    return import_module(PLUGIN)
