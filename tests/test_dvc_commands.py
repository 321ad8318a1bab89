"""What users do with DVC, on the project's own stages with stand-ins for the work."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.project import PROJECT, Project
from tests.stage_stub import stub_stages
from tests.storage_servers import BUCKET, s3_server
from tests.test_architecture import PIPELINES
from tests.test_dvc import MODELS, STAGES, UNTRACKED

TRAIN = Path("conf/sample/parameters/train.yml")


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A repository in which all stages are up to date, and committed."""
    project = Project(tmp_path_factory.mktemp("line") / "project")
    stub_stages(project.folder)
    shutil.copy(PROJECT / ".gitignore", project.folder)
    (project.folder / ".dvc").mkdir()
    for name in ("config", ".gitignore"):
        shutil.copy(PROJECT / ".dvc" / name, project.folder / ".dvc")
    git(project, "init", "--quiet")
    git(project, "config", "user.name", "A Tester")
    git(project, "config", "user.email", "tester@example.org")
    dvc(project, "repro")
    commit(project)
    return project


def dvc(project: Project, *arguments: str) -> str:
    done = project.run("dvc", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def git(project: Project, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=project.folder, check=True, capture_output=True)


def commit(project: Project) -> None:
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--allow-empty", "--message", "What there is")


def files_of(project: Project) -> dict[str, bytes]:
    data = project.folder / "data"
    return {path.relative_to(data).as_posix(): path.read_bytes() for path in data.rglob("*.*") if path.is_file()}


def change(project: Project, key: str, field: str, value: Any) -> None:
    """Set a field of a parameter in the first file that the stages read it from."""
    read = [item for stage in STAGES.values() for item in stage.get("params", [])]
    path = project.folder / next(file for item in read for file, keys in item.items() if key in keys)
    stored = yaml.safe_load(path.read_text())
    assert stored[key][field] != value
    stored[key][field] = value
    path.write_text(yaml.safe_dump(stored))


def stages_run(printed: str) -> set[str]:
    return set(re.findall(r"Running stage '(\w+)", printed))


def after(key: str) -> set[str]:
    """The pipelines that read a parameter, and all that read what those make, by Kedro's own account."""
    reached = {name for name in STAGES if f"params:{key}" in PIPELINES[name].inputs()}
    while True:
        made = {dataset for name in reached for dataset in PIPELINES[name].all_outputs()} - UNTRACKED
        more = {name for name in STAGES if {_one(name) for name in PIPELINES[name].inputs()} & made} - reached
        if not more:
            return reached
        reached |= more


def _one(dataset: str) -> str:
    """Of a dataset that is all of one kind, that kind."""
    return dataset.removeprefix("all_")


def test_a_changed_parameter_runs_again_exactly_what_depends_on_it(line: Project) -> None:
    change(line, "merge_labels", "min_clips", 6)
    assert stages_run(dvc(line, "repro")) == after("merge_labels") < STAGES.keys()


def test_an_experiment_runs_what_depends_on_it_and_is_compared_with_the_last_commit(line: Project) -> None:
    commit(line)
    printed = dvc(line, "exp", "run", "--name", "longer", "--set-param", f"{TRAIN}:train.epochs=9")
    assert stages_run(printed) == after("train")

    metrics = json.loads(dvc(line, "metrics", "diff", "--json"))
    judged = "data/sample/08_reporting/{}/esc50/transfer_metrics.json"
    assert {judged.format(model) for model in MODELS} < metrics.keys()
    drawn = json.loads(dvc(line, "plots", "diff", "--json"))
    assert "errors" not in drawn
    for name in ("validation mAP", "data/sample/08_reporting/vggish_plus/esc50/class_accuracies.csv"):
        (plot,) = drawn["data"][name]
        assert sorted(plot["revisions"]) == ["HEAD", "workspace"]
    rows = csv.DictReader(dvc(line, "exp", "show", "--csv").splitlines())
    assert {row["Experiment"]: row[f"{TRAIN}:train.epochs"] for row in rows}["longer"] == "9"


@pytest.fixture(params=["folder", "s3"])
def remote(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Where DVC is to push to: a folder, or a server that speaks S3."""
    if request.param == "folder":
        yield {"url": str(tmp_path / "store")}
        return
    with s3_server() as options:
        (tmp_path / "aws").touch()
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws"))  # DVC refuses one that is no plain file
        yield {
            "url": f"s3://{BUCKET}/dvc",
            "endpointurl": options["endpoint_url"],
            "access_key_id": options["key"],
            "secret_access_key": options["secret"],
            "region": options["client_kwargs"]["region_name"],
        }


def test_what_is_pushed_is_pulled_elsewhere_to_the_byte(line: Project, remote: dict[str, str], tmp_path: Path) -> None:
    settings = "".join(f"    {name} = {value}\n" for name, value in remote.items())
    settings = f"[core]\n    remote = store\n['remote \"store\"']\n{settings}"
    commit(line)
    git(line, "clone", "--quiet", str(line.folder), str(tmp_path / "elsewhere"))
    elsewhere = Project.of(tmp_path / "elsewhere")
    for project in (line, elsewhere):
        (project.folder / ".dvc" / "config.local").write_text(settings)
    assert not (elsewhere.folder / "data").exists()
    dvc(line, "push")
    dvc(elsewhere, "pull")
    assert files_of(elsewhere) == files_of(line)
    assert len(files_of(elsewhere)) > 60
