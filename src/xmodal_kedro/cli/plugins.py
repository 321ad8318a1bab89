"""Keeps plugins from loading MLflow before it is needed, and hides warnings of plugins that users cannot fix.

Kedro loads the commands of every plugin before any command. Those of kedro-mlflow load MLflow and pandas, which takes
seconds that `kedro registry list`, `kedro viz` and a mistyped parameter would have to wait.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterable
from importlib import import_module
from importlib.metadata import entry_points
from types import ModuleType
from typing import Any, TextIO

from kedro.framework.cli.utils import LazyGroup
from kedro.framework.hooks.manager import _PLUGIN_HOOKS
from kedro.framework.session import session
from pluggy import PluginManager

PLUGIN = "kedro_mlflow.framework.cli.cli"


class _Deferred(ModuleType):
    """Placeholder of the plugin's module. Access to any attribute but `commands` loads the real module."""

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
    """Make `kedro mlflow` load its plugin when it is called. Does nothing if the plugin is loaded already."""
    sys.modules.setdefault(PLUGIN, _Deferred())


def skip_disabled_hooks() -> None:
    """Do not load hooks that `DISABLE_HOOKS_FOR_PLUGINS` disables. Kedro loads them first, and then removes them."""
    # Kedro offers no other place: the function is private, and its name is bound in the module of sessions, which does
    # not export it: hence the two `attr-defined`.
    register = session._register_hooks_entry_points  # type: ignore[attr-defined]
    if register.__module__ == __name__:
        return  # the settings were loaded again

    def register_enabled(hook_manager: PluginManager, disabled_plugins: Iterable[str]) -> None:
        disabled = set(disabled_plugins)
        for entry in entry_points(group=_PLUGIN_HOOKS):
            if entry.dist is not None and entry.dist.name in disabled:
                hook_manager.set_blocked(entry.name)
        register(hook_manager, disabled)

    session._register_hooks_entry_points = register_enabled  # type: ignore[attr-defined]


WARNINGS_OF_PLUGINS = (
    "Add type hints to the `predict` method",  # of kedro-mlflow's own model
    "ORJSONResponse is deprecated",  # of Kedro-Viz's server
)
"""Warnings of plugins about their own code, which users of this project cannot fix."""


def hide_warnings_of_plugins() -> None:
    """Hide `WARNINGS_OF_PLUGINS` in this process and in its child processes.

    Python's filters do not work here: MLflow inserts its own filter before all others.
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
    # The server of Kedro-Viz is another process, which warns before it loads this project.
    os.environ.setdefault("PYTHONWARNINGS", f"ignore:{WARNINGS_OF_PLUGINS[1]}")


def __getattr__(name: str) -> Any:
    if name == "mlflow":
        return _load_plugin().mlflow_commands
    raise AttributeError(name)


def _load_plugin() -> ModuleType:
    if isinstance(sys.modules.get(PLUGIN), _Deferred):
        del sys.modules[PLUGIN]
    return import_module(PLUGIN)
