"""Kedro-Viz builds, and shows every pipeline with its layers, its code and parameters, its data, and its last run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import FIRST_RUN_STATUS
from tests.project import Project
from tests.test_architecture import MAIN_LINE, PIPELINES

LAYERS = ["raw", "intermediate", "primary", "feature", "model_input", "models", "model_output", "reporting"]
REPORTS = {"label_report", "transfer_report"}
"""Pages of their own, to be opened in a tab."""
NOT_STORED = {"run_provenance", "training_checkpoints"} | {
    *("class_meaning", "merge_plan", "shown_clips", "label_description", "dataset_description"),
    *("source_description", "training_description", "result_description"),
}
"""What only a run holds."""
NO_SHARDS = {
    "audio_clip_embeddings",
    "visual_clip_embeddings",
    "teacher_embeddings",
    "visual_teacher_embeddings",
    "teacher_views",
    "fine_tune_predictions",
    "target_counts",
}
"""What the sample world's parameters ask nothing of."""


@pytest.fixture(scope="module")
def api(small_run: Project) -> Path:
    """The folder of a built page in which the answers to its requests lie as files."""
    # Tests before these may have run a part of the line; the first run was of all of it.
    shutil.copytree(small_run.folder / FIRST_RUN_STATUS, small_run.folder / ".viz", dirs_exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KEDRO_ENV", "sample")
        done = small_run.run("kedro", "viz", "build", "--include-previews")
    assert done.returncode == 0, done.stderr
    return small_run.folder / "build" / "api"


@pytest.fixture(scope="module")
def main(api: Path) -> Any:
    """What the page opens on."""
    return parse(api / "main")


@pytest.fixture(scope="module")
def details(api: Path, main: Any) -> dict[str, Any]:
    """What a click on each node of the first page shows, by the node's name."""
    shown = [node for node in main["nodes"] if node["type"] != "modularPipeline"]
    return {node["name"]: parse(api / "nodes" / node["id"]) for node in shown}


def parse(path: Path) -> Any:
    """The JSON in a file as a browser reads it."""
    return parse_text(path.read_text())


def parse_text(text: str) -> Any:
    """JSON as a browser reads it, to which Python's NaN and Infinity are errors."""

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_the_page_opens_on_the_seven_pipelines(main: Any) -> None:
    tree = main["modular_pipelines"]
    assert set(tree) - {"__root__"} == set(MAIN_LINE)
    assert {child["id"] for child in tree["__root__"]["children"] if child["type"] == "modularPipeline"} == set(
        MAIN_LINE
    )
    shown = {node["full_name"] for node in main["nodes"] if node["type"] == "task"}
    assert shown == {node.name for node in PIPELINES["__default__"].nodes}
    assert {name.partition(".")[0] for name in shown} == set(MAIN_LINE)


def test_every_pipeline_can_be_chosen_and_has_its_layers(api: Path, main: Any) -> None:
    assert main["layers"] == LAYERS
    assert {pipeline["id"] for pipeline in main["pipelines"]} == set(PIPELINES)
    for name, pipeline in PIPELINES.items():
        page = parse(api / "pipelines" / name)
        assert set(page["layers"]) == set(LAYERS), name
        assert {node["full_name"] for node in page["nodes"] if node["type"] == "task"} == {
            node.name for node in pipeline.nodes
        }


def test_every_node_of_a_built_page_has_details_that_a_browser_can_read(api: Path, main: Any) -> None:
    read = {path.name: parse(path) for path in (api / "nodes").iterdir()}
    assert read.keys() >= {node["id"] for node in main["nodes"]}
    assert all(read.values())


def test_a_node_shows_its_code_and_parameters(main: Any, details: dict[str, Any]) -> None:
    for node in PIPELINES["__default__"].nodes:
        shown = details[node.short_name.rpartition(".")[2]]
        assert f"def {node.func.__name__}(" in shown["code"]
        assert '"""' in shown["code"], f"{node.name} does not say what it does"
        wanted = {name.removeprefix("params:") for name in node.inputs if name.startswith("params:")}
        assert shown["parameters"].keys() == wanted
        assert all(shown["parameters"].values())


def test_every_dataset_that_was_made_is_previewed(main: Any, details: dict[str, Any]) -> None:
    datasets = [node["name"] for node in main["nodes"] if node["type"] == "data"]
    assert len(datasets) > 50
    without = {name for name in datasets if not details[name]["preview"]}
    assert REPORTS <= without <= REPORTS | NOT_STORED


def test_previews_are_of_the_kind_that_their_data_asks_for(details: dict[str, Any]) -> None:
    kinds = {name: shown["preview_type"] for name, shown in details.items() if shown.get("preview")}
    assert {name for name, kind in kinds.items() if kind == "PlotlyPreview"} == {
        *("source_outcomes", "label_histogram", "label_scores", "association_matrix"),
        *("training_curves", "confusion_matrix", "gain_intervals", "class_gains", "embedding_map"),
    }
    for name, kind in kinds.items():
        preview = details[name]["preview"]
        if kind == "PlotlyPreview":
            assert preview["data"], name
        elif kind == "JSONPreview":
            assert parse_text(preview), name
        elif kind == "HTMLPreview":
            assert name == "contact_sheet"
        else:
            assert kind == "TablePreview", name
            assert preview["columns"] or name in NO_SHARDS, name
            assert all(len(row) == len(preview["columns"]) for row in preview["data"]), name


def test_clips_are_previewed_in_words_for_their_sound_and_pictures(details: dict[str, Any]) -> None:
    preview = details["clips"]["preview"]
    first = dict(zip(preview["columns"], preview["data"][0], strict=True))
    seconds = first["end_s"] - first["start_s"]
    assert first["audio"] == f"{32 * seconds:.1f} kB"
    assert first["frames"].endswith("kB")


def test_the_contact_sheet_is_shown_with_pictures_and_players(details: dict[str, Any]) -> None:
    sheet = details["contact_sheet"]["preview"]
    assert sheet.count("<audio controls") == sheet.count("<article") > 5
    # Kedro-Viz reads HTML as Markdown, too: both would be turned into tags, in the style sheet as well.
    assert "\n" not in sheet and "_" not in sheet


def test_the_last_run_is_shown_with_how_long_each_node_took(api: Path, main: Any) -> None:
    run = parse(api / "run-status")
    assert run["pipeline"]["status"] == "success"
    tasks = {node["id"] for node in main["nodes"] if node["type"] == "task"}
    assert tasks <= run["nodes"].keys()
    assert all(run["nodes"][node]["status"] == "success" and run["nodes"][node]["duration"] > 0 for node in tasks)
