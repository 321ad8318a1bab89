"""`dvc.yaml` says what catalog and parameters say, and `dvc repro` does what it promises."""

from __future__ import annotations

import ast
import json
import re
import shutil
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from kedro.config import OmegaConfigLoader

from tests.project import PROJECT, Project
from tests.test_architecture import PACKAGE, PIPELINES, parts_used
from xmodal_kedro import settings
from xmodal_kedro.cli.audit import HOLDS_FILE_TIMES, NAMES_ITS_RUN
from xmodal_kedro.params import TrainParams

UNTRACKED = {
    "probes",  # depends on this machine's modification times
    "run_provenance",  # is of the run, and kept in its report alone
    # are held in memory from node to node
    *("shown_clips", "label_description", "class_meaning", "dataset_description"),
    *("source_description", "training_description", "result_description"),
    "training_checkpoints",  # is input and output of one stage
    *("review_answers", "example_files"),  # are people's, and need not be there
    # are the results of the last review, which comes after the stages that read them
    *("earlier_suspects", "earlier_thresholds"),
    *("merge_plan", "compare_plans", "class_meaning", "adapt_targets", "adapt_choice"),  # are in memory, of one run
    *("benchmark_sounds", "benchmark_signatures", "reference_embeddings"),  # are the same for all of the matrix
}
DESCRIBED: dict[str, Any] = yaml.safe_load((PROJECT / "dvc.yaml").read_text())
VARS: dict[str, Any] = {name: value for item in DESCRIBED["vars"] for name, value in item.items()}
STAGES: dict[str, Any] = DESCRIBED["stages"]
MATRIX = {"train", "transfer_eval", "export"}
MODELS: list[str] = VARS["models"]
MAIN_LINE = ("ingest", "clip", "visual_label", "audio_label", "merge_labels", "train", "transfer_eval")
RUN_BY_KEDRO = ("sample", *MAIN_LINE, "label_check")
"""Stages whose outputs `kedro run --env sample` makes."""
CURVES: dict[str, Any] = {name: plot for item in DESCRIBED["plots"] for name, plot in item.items()}


@cache
def catalog() -> dict[str, Any]:
    loader = OmegaConfigLoader(
        str(PROJECT / "conf"),
        env="sample",
        runtime_params={"train": {"model": "MODEL"}, "data_root": "ROOT"},
        **settings.CONFIG_LOADER_ARGS,
    )
    return loader["catalog"]


def location(name: str, stage: str) -> str:
    entry, model = catalog()[name], "${item.model}" if stage in MATRIX else MODELS[0]
    return str(entry.get("path") or entry.get("filepath")).replace("ROOT", "${root}").replace("MODEL", model)


def tracked(names: set[str], stage: str) -> set[str]:
    """Where datasets are; of a glob, all that stages make where it looks."""
    places = {location(name, stage) for name in names if not name.startswith("params:") and name not in UNTRACKED}
    globs = {place for place in places if "*" in place}
    return places - globs | {made for made in everything_made() if any(fnmatch(made, glob) for glob in globs)}


def everything_made() -> set[str]:
    return {path.replace("${item.model}", model) for stage in STAGES for path in outputs(stage) for model in MODELS}


def named(items: list[Any]) -> dict[str, Any]:
    """DVC's list of names, some with options, as a mapping."""
    return {key: value for item in items for key, value in (item if isinstance(item, dict) else {item: {}}).items()}


def outputs(stage: str) -> dict[str, Any]:
    """All that a stage makes, with DVC's options."""
    declared = [item for kind in ("outs", "metrics", "plots") for item in STAGES[stage].get(kind, [])]
    return named(declared)


@cache
def parameters_set() -> dict[str, set[str]]:
    """Keys of the parameters that each file of base and sample sets."""
    return {
        path.relative_to(PROJECT).as_posix(): set(yaml.safe_load(path.read_text()) or {})
        for env in ("base", "sample")
        for path in (PROJECT / "conf" / env / "parameters").glob("*.yml")
    }


def parameter_files(key: str) -> set[str]:
    """Files of base and sample that set the parameter `key`."""
    return {path for path, keys in parameters_set().items() if key in keys}


def code_behind(pipeline: str) -> set[str]:
    """The pipeline's own package, the parts it imports, directly or through others, and the datasets.

    Not `params/`: what parameters are set to counts, and is listed apart.
    """
    reached: set[Path] = set()
    waiting = {PACKAGE / "pipelines" / pipeline, PACKAGE / "datasets"}
    while waiting:
        part = waiting.pop()
        reached.add(part)
        files = sorted(part.rglob("*.py")) if part.is_dir() else [part]
        used = {_part(name) for path in files for name in parts_used(path) - {"params", "pipelines"}}
        waiting |= used - reached
    return {path.relative_to(PROJECT).as_posix() for path in reached}


def _part(name: str) -> Path:
    return PACKAGE / name if (PACKAGE / name).is_dir() else PACKAGE / f"{name}.py"


def test_no_stage_needs_what_another_holds_in_memory() -> None:
    in_memory = {name for name, entry in catalog().items() if entry["type"] == "MemoryDataset"}
    assert in_memory <= UNTRACKED
    needed = {name: PIPELINES[name].inputs() & in_memory - {"run_provenance"} for name in STAGES}
    assert not {name: inputs for name, inputs in needed.items() if inputs}


def test_there_is_one_stage_a_pipeline() -> None:
    assert set(STAGES) == set(PIPELINES) - {"__default__"}
    assert {name for name, stage in STAGES.items() if "matrix" in stage} == MATRIX


@pytest.mark.parametrize("name", sorted(set(PIPELINES) - {"__default__"}))
class TestStage:
    def test_runs_its_pipeline(self, name: str) -> None:
        command = f"kedro run --env sample --pipelines={name}"
        chosen = " --params train.model=${item.model}" if name in MATRIX else ""
        assert STAGES[name]["cmd"] == command + chosen

    def test_depends_on_the_pipelines_inputs_and_code(self, name: str) -> None:
        code = {PACKAGE.relative_to(PROJECT).as_posix()} & set(STAGES[name]["deps"]) or code_behind(name)
        assert set(STAGES[name]["deps"]) == tracked(PIPELINES[name].inputs(), name) | code

    def test_makes_the_pipelines_outputs(self, name: str) -> None:
        assert set(outputs(name)) == tracked(PIPELINES[name].all_outputs(), name)

    def test_keeps_all_that_it_makes(self, name: str) -> None:
        assert all(options.get("cache", True) for options in outputs(name).values())

    def test_says_which_outputs_name_their_run(self, name: str) -> None:
        nodes = [node for node in PIPELINES[name].nodes if "run_provenance" in node.inputs]
        labelled = {path for path, options in outputs(name).items() if NAMES_ITS_RUN in options.get("labels", [])}
        assert labelled == {location(output, name) for node in nodes for output in node.outputs}

    def test_says_which_shards_depend_on_the_times_of_files(self, name: str) -> None:
        labelled = {path for path, options in outputs(name).items() if HOLDS_FILE_TIMES in options.get("labels", [])}
        made = {"recording_embeddings", "map_windows", "event_files"} & PIPELINES[name].all_outputs()
        assert labelled == {location(output, name) for output in made}

    def test_does_not_let_dvc_delete_what_resumes(self, name: str) -> None:
        folders = {location(key, name) for key in PIPELINES[name].all_outputs() - UNTRACKED if "path" in catalog()[key]}
        persisted = {path for path, options in named(STAGES[name]["outs"]).items() if options.get("persist")}
        assert persisted == folders

    def test_knows_its_parameters(self, name: str) -> None:
        keys = {key.removeprefix("params:") for key in PIPELINES[name].inputs() if key.startswith("params:")}
        expected = {
            file: {key for key in keys if file in parameter_files(key)} for key in keys for file in parameter_files(key)
        }
        declared = {file: set(fields) for file, fields in named(STAGES[name].get("params", [])).items()}
        assert declared == expected


def test_the_matrix_is_of_models_that_exist_and_begins_with_the_one_of_other_stages() -> None:
    models = ast.literal_eval(str(TrainParams.model_fields["model"].annotation).removeprefix("typing.Literal"))
    assert set(MODELS) <= set(models)
    assert yaml.safe_load((PROJECT / "conf/base/globals.yml").read_text())["model"] == MODELS[0]
    assert all(STAGES[name]["matrix"] == {"model": "${models}"} for name in MATRIX)


def test_curves_are_drawn_of_every_model() -> None:
    histories = {location("training_history", "train").replace("${item.model}", model) for model in MODELS}
    assert all(set(plot["y"]) == histories for plot in CURVES.values())


def one_of(curves: dict[str, Any]) -> dict[str, Any]:
    """Those of the first model."""
    return {path: columns for path, columns in curves.items() if f"/{MODELS[0]}/" in path}


@pytest.fixture(scope="module")
def reproduced(small_run: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The small world with all its stages, of one model, up to date; what DVC printed is in `repro.log`.

    DVC takes what Kedro made as made by its stages, and runs the others.
    """
    project = Project.of(tmp_path_factory.mktemp("reproduced") / "project")
    shutil.copytree(small_run.folder, project.folder)
    project.track_nothing()
    plots = [{name: plot | {"y": one_of(plot["y"])}} for name, plot in CURVES.items()]
    read = [path for path in STAGES["summary"]["deps"] if not any(f"/{model}/" in path for model in MODELS[1:])]
    stages = STAGES | {"summary": STAGES["summary"] | {"deps": read}}
    one_model = DESCRIBED | {"vars": [VARS | {"models": MODELS[:1]}], "plots": plots, "stages": stages}
    (project.folder / "dvc.yaml").write_text(yaml.safe_dump(one_model))
    assert project.run("dvc", "init", "--no-scm", "--quiet").returncode == 0
    made = [f"{name}@{MODELS[0]}" if name in MATRIX else name for name in RUN_BY_KEDRO]
    taken = project.run("dvc", "commit", "--force", *made)
    assert taken.returncode == 0, taken.stderr
    done = project.run("dvc", "repro")
    assert done.returncode == 0, done.stderr
    (project.folder / "repro.log").write_text(done.stdout)
    return project


def test_repro_runs_the_stages_that_are_not_up_to_date_and_a_second_one_nothing(reproduced: Project) -> None:
    printed = (reproduced.folder / "repro.log").read_text()
    assert set(re.findall(r"Running stage '(\w+)", printed)) == set(STAGES) - set(RUN_BY_KEDRO)
    second = reproduced.run("dvc", "repro").stdout
    assert "Running stage" not in second
    assert "Data and pipelines are up to date." in second


def test_metrics_and_plots_hold_what_was_measured(reproduced: Project) -> None:
    metrics = json.loads(reproduced.run("dvc", "metrics", "show", "--json").stdout)[""]["data"]
    (judged,) = (output["data"] for path, output in metrics.items() if path.endswith("transfer_metrics.json"))
    shown = json.loads(reproduced.run("dvc", "plots", "show", "--json").stdout)
    assert "errors" not in shown
    points = {Path(name).stem: plot["content"]["data"]["values"] for name, (plot,) in shown["data"].items()}
    assert points.keys() == {*CURVES, "class_accuracies", "confusion_pairs"}
    pairs = points["confusion_pairs"]
    right = sum(pair["truth"] == pair["predicted"] for pair in pairs)
    assert right / len(pairs) == pytest.approx(judged["esc50.linear_probe.pretrained.accuracy"])
    assert {"epoch", "validation_map"} <= points["validation mAP"][0].keys()


def test_a_stage_that_starts_again_keeps_the_shards_that_are_whole(reproduced: Project) -> None:
    folder = reproduced.folder / "data/sample/04_feature/visual_labels"
    lost, *kept = sorted(folder.glob("*.parquet"))
    made = [shard.stat().st_mtime_ns for shard in kept]
    lost.unlink()
    (folder / "_index.json").unlink()  # written last: a killed run leaves none
    done = reproduced.run("dvc", "repro", "--no-run-cache", "visual_label")
    assert re.findall(r"Running stage '(\w+)", done.stdout) == ["visual_label"], done.stdout + done.stderr
    assert lost.exists()
    assert [shard.stat().st_mtime_ns for shard in kept] == made
    assert "Data and pipelines are up to date." in reproduced.run("dvc", "status").stdout
