"""`dvc.yaml` says what catalog and parameters say, and `dvc repro` does what it promises."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from kedro.config import OmegaConfigLoader

from tests.project import PROJECT, SMALL_WORLD, Project
from tests.test_architecture import PACKAGE, PIPELINES, parts_used
from xmodal_kedro import settings
from xmodal_kedro.params import TrainParams

UNTRACKED = {
    "probes",  # depends on this machine's modification times
    "run_provenance",  # is of the run, and kept in its report alone
    "training_checkpoints",  # is input and output of one stage
    *("benchmark_sounds", "benchmark_signatures", "reference_embeddings"),  # are the same for all of the matrix
}
STAGES: dict[str, Any] = yaml.safe_load((PROJECT / "dvc.yaml").read_text())["stages"]
MATRIX = {"train", "transfer_eval", "export"}
MODELS = ["vggish_plus", "mobilenet_v2", "resnet50", "vggish"]


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
    return {location(name, stage) for name in names if not name.startswith("params:") and name not in UNTRACKED}


def named(items: list[Any]) -> dict[str, Any]:
    """DVC's list of names, some with options, as a mapping."""
    return {key: value for item in items for key, value in (item if isinstance(item, dict) else {item: {}}).items()}


def parameter_files(key: str) -> set[str]:
    """Files of base and sample that set the parameter `key`."""
    return {
        path.relative_to(PROJECT).as_posix()
        for env in ("base", "sample")
        for path in (PROJECT / "conf" / env / "parameters").glob("*.yml")
        if key in (yaml.safe_load(path.read_text()) or {})
    }


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
        assert set(STAGES[name]["deps"]) == tracked(PIPELINES[name].inputs(), name) | code_behind(name)

    def test_makes_the_pipelines_outputs(self, name: str) -> None:
        declared = named(STAGES[name].get("outs", [])) | named(STAGES[name].get("metrics", []))
        assert set(declared) == tracked(PIPELINES[name].all_outputs(), name)

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


def test_the_matrix_runs_every_model() -> None:
    models = ast.literal_eval(str(TrainParams.model_fields["model"].annotation).removeprefix("typing.Literal"))
    assert sorted(models) == sorted(MODELS)
    for name in MATRIX:
        assert STAGES[name]["matrix"]["model"] == MODELS


def test_repro_runs_every_stage_and_a_second_one_nothing(small_run: Project) -> None:
    path = small_run.folder / "dvc.yaml"
    path.write_text(path.read_text().replace(f"[{', '.join(MODELS)}]", "[vggish_plus]"))
    assert small_run.run("dvc", "init", "--no-scm", "--quiet").returncode == 0
    first = small_run.run("dvc", "repro")
    assert first.returncode == 0, first.stderr
    assert all(re.search(rf"Running stage '{name}(@vggish_plus)?'", first.stdout) for name in STAGES), first.stdout
    second = small_run.run("dvc", "repro")
    assert "Running stage" not in second.stdout
    assert "Data and pipelines are up to date." in second.stdout
    shown = small_run.run("dvc", "metrics", "show")
    assert "pretrained" in shown.stdout


def test_a_changed_parameter_runs_again_only_what_depends_on_it(small_run: Project) -> None:
    small_run.set_parameters("merge_labels", {"min_clips": 3})
    status = small_run.run("dvc", "status").stdout
    small_run.set_parameters("merge_labels", SMALL_WORLD["merge_labels"])
    changed = {line.rstrip(":").partition("@")[0] for line in status.splitlines() if line and not line[0].isspace()}
    assert "merge_labels" in changed
    assert not changed & {"sample", "ingest", "clip", "visual_label", "audio_label"}
