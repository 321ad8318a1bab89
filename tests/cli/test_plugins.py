"""The commands of kedro-mlflow exist, and load nothing until they are used."""

from __future__ import annotations

import sys

import pytest
from click.testing import CliRunner

from tests.project import PROJECT
from xmodal_kedro.cli.plugins import PLUGIN, defer_mlflow_commands


@pytest.fixture
def without_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has not loaded the plugin's commands; modules that other tests loaded are restored."""
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


def test_other_attributes_are_those_of_the_plugin(without_plugin: None) -> None:
    defer_mlflow_commands()
    from kedro_mlflow.framework.cli.cli import KedroClickGroup

    assert KedroClickGroup.__module__ == PLUGIN
    assert not hasattr(sys.modules[PLUGIN], "no_such_thing")


def test_a_plugin_that_is_loaded_stays(without_plugin: None) -> None:
    import kedro_mlflow.framework.cli.cli as plugin

    defer_mlflow_commands()
    assert sys.modules[PLUGIN] is plugin
