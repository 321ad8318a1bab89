"""A user's mistake ends the run before any work, in one error that names file or field and the remedy."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import click
import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from tests.project import Project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("bad_input") / "project").track_nothing()


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def good(tmp_path: Path, out: Path) -> dict[str, Any]:
    """Parameters of a run whose videos, teachers and benchmark exist; they are not read here."""
    for name in ("videos/a.mp4", "teachers/visual/model.onnx", "teachers/visual/labels.txt", "esc10/audio/a.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"something")
    return {
        "source": tmp_path / "videos",
        "data_root": out,
        "teachers": tmp_path / "teachers",
        "esc10": tmp_path / "esc10",
    }


def error_of(
    project: Project, monkeypatch: pytest.MonkeyPatch, pipelines: list[str] | None, params: dict[str, Any]
) -> str:
    """Run pipelines in the onnx env; return the message that the command line would show."""
    monkeypatch.chdir(project.folder)
    bootstrap_project(project.folder)
    plain = {key: str(value) if isinstance(value, Path) else value for key, value in params.items()}
    with (
        pytest.raises(click.ClickException) as raised,
        KedroSession.create(project.folder, env="onnx", runtime_params=plain) as session,
    ):
        session.run(pipeline_names=pipelines)
    assert not Path(plain["data_root"]).exists(), "something was made before the error"
    return raised.value.message


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (
            {"merge_labels": {"audio": {"threshold": -0.1}}},
            "Parameter 'merge_labels': audio.threshold is -0.1: Input sho",
        ),
        ({"clip": {"min_s": 6.0}}, r"clip.min_s \(6.0\) exceeds clip.max_s \(5.0\): set min_s <= max_s"),
        (
            {"train": {"model": "alexnet"}},
            "'train': model is 'alexnet': Input should be 'vggish', 'vggish_plus', 'resnet",
        ),
        ({"train": {"epoch": 3}}, "'train': epoch is 3: Extra inputs are not permitted"),
        ({"esc10": None}, "--params esc10= "),
        ({"clp": {"min_s": 9.0}, "model": "vggish"}, "clp, model; it takes"),
        (
            {"transfer_eval": {"benchmark": "esc11"}},
            "'transfer_eval': benchmark is 'esc11': Input should be 'esc50', 'esc10'",
        ),
    ],
)
def test_a_wrong_parameter_is_named(
    project: Project, monkeypatch: pytest.MonkeyPatch, good: dict[str, Any], wrong: dict[str, Any], said: str
) -> None:
    assert re.search(said, error_of(project, monkeypatch, None, good | wrong))


@pytest.mark.parametrize("unread", ["source", "esc50", "csv"])
def test_a_place_that_nothing_reads_is_reported(
    project: Project, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, out: Path, unread: str
) -> None:
    monkeypatch.chdir(project.folder)
    bootstrap_project(project.folder)
    read = {"data_root": str(out), "transfer_eval": {"benchmark": "esc10"}, "esc10": "/here"}
    with KedroSession.create(project.folder, env="sample", runtime_params={**read, unread: "/there"}) as session:
        assert session.load_context().params
    warnings = {message for message in caplog.messages if "reads nothing from there" in message}
    assert len(warnings) == 1 and warnings.pop().startswith(f"--params {unread}=/there:")


def test_a_folder_without_videos_is_named_with_the_parameter_to_set(
    project: Project, monkeypatch: pytest.MonkeyPatch, good: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    for folder in ("empty", "nowhere"):
        message = error_of(project, monkeypatch, ["ingest"], good | {"source": tmp_path / folder})
        assert f"- source_videos: nothing at {tmp_path / folder}: " in message
        assert "--params source=FOLDER" in message


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("videos/*.flac", r"- source_videos: nothing at /.*/videos/\*\.flac: .* or a glob \(in quotes\), a manifest"),
        ("list.csv", r"- source_videos: /.*/list.csv must have one column uri, but its columns are file"),
        ("ftp://host/videos", r"- source_videos: cannot list ftp://host/videos .*the protocol ftp is not on the list"),
    ],
    ids=["glob", "manifest", "protocol"],
)
def test_a_wrong_source_is_reported_in_one_line(
    project: Project, monkeypatch: pytest.MonkeyPatch, good: dict[str, Any], tmp_path: Path, source: str, said: str
) -> None:
    (tmp_path / "list.csv").write_text("file\na.mp4\n")
    place = source if "://" in source else tmp_path / source
    message = error_of(project, monkeypatch, ["ingest"], good | {"source": place})
    assert re.search(said, message)
    assert len(message.splitlines()) == 2


def test_credentials_are_read_and_wrong_ones_reported_without_showing_them(
    project: Project, monkeypatch: pytest.MonkeyPatch, good: dict[str, Any]
) -> None:
    path = project.folder / "conf" / "onnx" / "credentials.yml"
    path.write_text("sources: {key: name, secret: hush}\n")
    message = error_of(project, monkeypatch, ["ingest"], good)
    path.unlink()
    assert "put them below their protocol, such as `s3: {key: ..., secret: ...}`" in message
    assert "hush" not in message


def test_all_that_is_missing_comes_in_one_error(
    project: Project, monkeypatch: pytest.MonkeyPatch, out: Path, tmp_path: Path
) -> None:
    nowhere = tmp_path / "nowhere"
    params = {"source": nowhere, "teachers": nowhere, "esc10": nowhere, "data_root": out}
    message = error_of(project, monkeypatch, None, params)
    for name in ("source_videos", "visual_teacher_files", "audio_teacher_files", "benchmark_files"):
        assert f"- {name}: nothing at {nowhere}" in message


def test_a_stage_run_too_early_says_which_comes_first(
    project: Project, monkeypatch: pytest.MonkeyPatch, good: dict[str, Any]
) -> None:
    message = error_of(project, monkeypatch, ["train"], good)
    assert "- clips: nothing at" in message
    assert "kedro run --pipelines=clip" in message
    assert "kedro run --pipelines=merge_labels" in message


def test_a_teacher_file_that_is_missing_is_named(
    project: Project, monkeypatch: pytest.MonkeyPatch, good: dict[str, Any]
) -> None:
    message = error_of(project, monkeypatch, ["ingest", "clip", "audio_label"], good)
    assert "audio_teacher_files:" in message
    assert "'yamnet_patches.onnx'" in message


def test_a_teacher_with_another_number_of_classes_than_its_list_is_refused(
    project: Project, monkeypatch: pytest.MonkeyPatch, good: dict[str, Any], real_data: Path
) -> None:
    for name in ("mobilenet_v2_1.0_224_f32.onnx", "imagenet_labels.txt"):
        shutil.copy(real_data / "teachers" / name, good["teachers"])
    listed = good["teachers"] / "imagenet_labels.txt"
    listed.write_text("\n".join(listed.read_text().splitlines()[:500]))
    message = error_of(project, monkeypatch, ["ingest", "clip", "visual_label"], good)
    assert "visual_teacher_files:" in message
    assert "'imagenet_labels.txt' lists 500 classes" in message


def test_a_benchmark_without_its_metadata_is_refused(
    project: Project, monkeypatch: pytest.MonkeyPatch, good: dict[str, Any]
) -> None:
    message = error_of(project, monkeypatch, None, good)
    assert "benchmark_files:" in message
    assert "meta/esc50.csv is missing" in message


def test_too_few_clips_for_what_is_asked_are_refused_with_the_number_needed(
    project: Project, monkeypatch: pytest.MonkeyPatch, good: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "own").mkdir()
    for name in ("a", "b", "c", "d"):
        (tmp_path / "own" / f"{name}.wav").write_bytes(b"not opened")
    (tmp_path / "own" / "clips.csv").write_text(
        "file,label,fold\na.wav,hum,1\nb.wav,hum,2\nc.wav,tick,1\nd.wav,tick,2\n"
    )
    asked = {"transfer_eval": {"benchmark": "csv", "protocols": ["fine_tune"]}, "csv": tmp_path / "own"}
    message = error_of(project, monkeypatch, None, good | asked)
    assert re.search(r"benchmark_files: too few clips .*fold 1 .* hum, which has 1, and 2 are needed", message)


def test_a_place_that_cannot_be_written_is_refused(
    project: Project, monkeypatch: pytest.MonkeyPatch, good: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    message = error_of(project, monkeypatch, ["ingest"], good | {"data_root": tmp_path / "file" / "out"})
    assert f"cannot write in {tmp_path / 'file'}" in message
    assert "--params data_root=FOLDER" in message


def test_a_model_that_the_catalog_does_not_follow_is_refused(
    project: Project, monkeypatch: pytest.MonkeyPatch, good: dict[str, Any]
) -> None:
    path = project.folder / "conf" / "onnx" / "parameters" / "train.yml"
    before = path.read_text()
    path.write_text(before + "  model: resnet50\n")
    message = error_of(project, monkeypatch, None, good)
    path.write_text(before)
    assert "train: train.model is resnet50, but its weights would go to" in message
    assert "globals.yml" in message


def test_a_device_that_is_not_there_is_refused(
    project: Project, monkeypatch: pytest.MonkeyPatch, good: dict[str, Any]
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    message = error_of(project, monkeypatch, None, good | {"transfer_eval": {"device": "cuda"}})
    assert "transfer_eval.device" in message
