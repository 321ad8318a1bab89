"""Kedro-Viz builds, and shows every pipeline with its layers and previews."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.project import Project
from tests.test_architecture import PIPELINES


@pytest.fixture(scope="module")
def api(small_run: Project) -> Path:
    """The folder of a built page in which the answers to its requests lie as files."""
    done = small_run.run("kedro", "viz", "build", "--include-previews")
    assert done.returncode == 0, done.stderr
    return small_run.folder / "build" / "api"


def parse(path: Path) -> Any:
    """The JSON in a file as a browser reads it, to which Python's NaN and Infinity are errors."""

    def refuse(constant: str) -> None:
        raise ValueError(f"{path}: {constant} is no JSON")

    return json.loads(path.read_text(), parse_constant=refuse)


def test_a_built_page_holds_every_pipeline_and_layer(api: Path) -> None:
    main = parse(api / "main")
    assert {pipeline["id"] for pipeline in main["pipelines"]} == set(PIPELINES)
    layers = ["raw", "intermediate", "primary", "feature", "model_input", "models", "model_output", "reporting"]
    assert main["layers"] == layers
    shown = {node["name"] for node in main["nodes"] if node["type"] == "task"}
    assert shown == {node.name for node in PIPELINES["__default__"].nodes}


def test_every_node_of_a_built_page_has_details_that_a_browser_can_read(api: Path) -> None:
    details = {path.name: parse(path) for path in (api / "nodes").iterdir()}
    assert details.keys() >= {node["id"] for node in parse(api / "main")["nodes"]}
    assert all(details.values())
