"""The commands of kedro-mlflow are there, and cost nothing until they are asked for."""

from __future__ import annotations

import sys

import pytest
from click.testing import CliRunner

from tests.project import PROJECT
from xmodal_kedro.cli.plugins import PLUGIN, defer_mlflow_commands


@pytest.fixture
def without_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that has not loaded the plugin's commands; what other tests loaded comes back."""
    monkeypatch.setitem(sys.modules, PLUGIN, sys.modules.get(PLUGIN))
    del sys.modules[PLUGIN]


def test_the_plugin_is_loaded_by_its_own_command_alone(without_plugin: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)
    defer_mlflow_commands()
    stand_in = sys.modules[PLUGIN]
    assert stand_in.commands.lazy_subcommands.keys() == {"mlflow"}
    assert sys.modules[PLUGIN] is stand_in
    shown = CliRunner().invoke(stand_in.commands, ["mlflow", "--help"])
    assert shown.exit_code == 0
    assert "ui " in shown.output
    assert sys.modules[PLUGIN] is not stand_in


def test_what_else_is_asked_of_the_plugin_is_its_own(without_plugin: None) -> None:
    defer_mlflow_commands()
    from kedro_mlflow.framework.cli.cli import KedroClickGroup

    assert KedroClickGroup.__module__ == PLUGIN
    assert not hasattr(sys.modules[PLUGIN], "no_such_thing")


def test_a_plugin_that_is_loaded_stays(without_plugin: None) -> None:
    import kedro_mlflow.framework.cli.cli as plugin

    defer_mlflow_commands()
    assert sys.modules[PLUGIN] is plugin
