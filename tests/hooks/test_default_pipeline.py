"""Which pipeline `kedro run` takes where none is named."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kedro.framework.project import configure_project, pipelines

from tests.project import PROJECT
from xmodal_kedro import settings
from xmodal_kedro.hooks import DefaultPipelineHooks


@pytest.fixture(autouse=True)
def project() -> None:
    configure_project("xmodal_kedro")


def judges(tmp_path: Path, env: str = "hub", **params: Any) -> bool:
    """Whether the default pipeline of a run judges the network."""
    given = {"data_root": str(tmp_path), **params}
    arguments: dict[str, Any] = settings.CONFIG_LOADER_ARGS
    loader = settings.CONFIG_LOADER_CLASS(str(PROJECT / "conf"), env=env, runtime_params=given, **arguments)
    context: Any = SimpleNamespace(env=env, config_loader=loader, _runtime_params=given, params={})
    DefaultPipelineHooks().after_context_created(context)
    nodes = {node.name for node in pipelines["__default__"].nodes}
    assert "train.train_model" in nodes
    return any(name.startswith("transfer_eval.") for name in nodes)


def test_without_a_benchmark_the_line_ends_with_the_network(tmp_path: Path) -> None:
    assert not judges(tmp_path)
    assert not judges(tmp_path, env="onnx")


def test_a_benchmark_that_is_named_is_judged_on_even_if_it_is_not_there(tmp_path: Path) -> None:
    assert judges(tmp_path, esc50=str(tmp_path / "nothing"))
    assert judges(tmp_path, esc50="auto")
    assert judges(tmp_path, transfer_eval={"benchmark": "csv"})
    assert not judges(tmp_path, transfer_eval={"batch_size": 8})


def test_a_benchmark_that_lies_where_it_is_looked_for_is_judged_on(tmp_path: Path) -> None:
    (tmp_path / "01_raw" / "esc50").mkdir(parents=True)
    assert not judges(tmp_path)
    (tmp_path / "01_raw" / "esc50" / "README.md").touch()
    assert judges(tmp_path)


def test_the_sample_world_makes_its_own(tmp_path: Path) -> None:
    assert judges(tmp_path, env="sample")
