"""The way in: one command from a folder of recordings, with teachers from the hub and no file prepared by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
import yaml

from tests.hub_server import COMMIT, Hub, Published, served
from tests.media.synthetic import RATE_HZ, write_media
from tests.project import PROJECT, Project
from tests.teachers.fixtures import COLOURS, SOUNDS, write_ast, write_vit

HUB = PROJECT / "conf" / "hub" / "parameters"


def card(modality: str) -> dict:
    return yaml.safe_load((HUB / f"{modality}_teacher.yml").read_text())[f"{modality}_teacher"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project beside recordings: videos, and sound alone."""
    project = Project(tmp_path_factory.mktemp("hub") / "project")
    settings = project.folder / "conf" / "hub" / "globals.yml"
    settings.write_text(settings.read_text() + "engine:\n  backend: threading\n")  # workers would load torch again
    recordings = project.folder.parent / "recordings"
    recordings.mkdir()
    for number in range(6):
        seconds = np.arange(12 * RATE_HZ) / RATE_HZ
        tone = (0.25 * np.sin(2 * np.pi * 200 * (number + 1) * seconds)).astype(np.float32)
        write_media(recordings / f"{number}.mp4", duration_s=12.0, sound=tone, pictures_s=0 if number == 5 else None)
    (recordings / "notes.txt").write_text("no recording")
    return project


@pytest.fixture(scope="module")
def hub(project: Project) -> Iterator[Hub]:
    """The models that the env names, as small ones with random weights."""
    folder = project.folder.parent
    write_vit(folder / "vit", COLOURS)
    write_ast(folder / "ast", (*SOUNDS, "Silence"))
    models = {
        card("visual")["weights"]: Published({COMMIT: folder / "vit"}),
        card("audio")["weights"]: Published({card("audio")["revision"]: folder / "ast"}, licence="bsd-3-clause"),
    }
    with served(models) as server:
        yield server


def run(project: Project, hub: Hub, out: Path, monkeypatch: pytest.MonkeyPatch) -> CompletedProcess[str]:
    environment = {
        "HF_ENDPOINT": hub.url,
        "HF_HUB_CACHE": str(project.folder.parent / "cache"),
        "HF_HUB_OFFLINE": "0",
        "CUDA_VISIBLE_DEVICES": "",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    params = ",".join(
        [f"source={project.folder.parent / 'recordings'}", f"data_root={out}", "train.epochs=1", "train.batch_size=4"]
    )
    return project.run("kedro", "run", "--env", "hub", f"--params={params}")


def test_one_command_leads_from_recordings_to_a_network(
    project: Project, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = run(project, hub, tmp_path / "out", monkeypatch)

    assert done.returncode == 0, done.stderr + done.stdout
    assert (tmp_path / "out/06_models/vggish_plus/weights.safetensors").is_file()
    assert (tmp_path / "out/08_reporting/label_report.html").is_file()
    noted = json.loads((tmp_path / "out/04_feature/visual_model.json").read_text())
    assert (noted["name"], noted["commit"]) == (card("visual")["weights"], COMMIT)
    assert "licence apache-2.0" in done.stdout
    assert "esc50=auto" in done.stdout
    assert not (tmp_path / "out/07_model_output").exists()
