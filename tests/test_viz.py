"""Kedro-Viz builds, and shows every pipeline with its layers and previews."""

from __future__ import annotations

import json

from tests.project import Project
from tests.test_architecture import PIPELINES


def test_a_built_page_holds_every_pipeline_and_layer(small_run: Project) -> None:
    done = small_run.run("kedro", "viz", "build", "--include-previews")
    assert done.returncode == 0, done.stderr
    main = json.loads((small_run.folder / "build" / "api" / "main").read_text())
    assert {pipeline["id"] for pipeline in main["pipelines"]} == set(PIPELINES)
    layers = ["raw", "intermediate", "primary", "feature", "model_input", "models", "model_output", "reporting"]
    assert main["layers"] == layers
    shown = {node["name"] for node in main["nodes"] if node["type"] == "task"}
    assert shown == {node.name for node in PIPELINES["__default__"].nodes}
