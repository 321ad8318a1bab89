"""What `config.ConfigLoader` does beyond Kedro's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from xmodal_kedro import settings
from xmodal_kedro.config import ConfigLoader
from xmodal_kedro.errors import UserError
from xmodal_kedro.params import AudioTeacherCard


def loader(folder: Path, env: str | None, files: dict[str, Any], **options: Any) -> ConfigLoader:
    for env_folder in ("base", "local", "sample", "mine"):
        (folder / env_folder).mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_text(yaml.safe_dump(content))
    patterns = {"mlflow": ["mlflow*"]}
    return ConfigLoader(str(folder), env=env, config_patterns=patterns, **settings.CONFIG_LOADER_ARGS, **options)


@pytest.mark.parametrize("env", [None, "mine", "sample", "local"])
def test_credentials_and_mlflow_of_this_machine_count_in_every_env(tmp_path: Path, env: str | None) -> None:
    files = {
        "base/credentials.yml": {"sources": {}},
        "base/mlflow.yml": {"server": {"uri": "a", "other": 1}},
        "local/credentials.yml": {"store": {"key": "secret"}},
        "local/mlflow.yml": {"server": {"uri": "b"}},
    }
    configuration = loader(tmp_path, env, files)
    assert configuration["credentials"] == {"sources": {}, "store": {"key": "secret"}}
    assert configuration["mlflow"] == {"server": {"uri": "b", "other": 1}}


def test_other_configuration_of_this_machine_counts_where_it_is_the_env(tmp_path: Path) -> None:
    files = {"base/parameters.yml": {"train": {"epochs": 1}}, "local/parameters.yml": {"train": {"epochs": 2}}}
    assert loader(tmp_path, "mine", files)["parameters"] == {"train": {"epochs": 1}}
    assert loader(tmp_path, "local", {})["parameters"] == {"train": {"epochs": 2}}


def test_without_an_env_the_sample_world_is_worked_on(tmp_path: Path) -> None:
    files = {"base/globals.yml": {"data_root": "data"}, "sample/globals.yml": {"data_root": "data/sample"}}
    assert loader(tmp_path, None, files)["globals"] == {"data_root": "data/sample"}


@pytest.mark.parametrize(
    ("typed", "path"),
    [
        ("s3://bucket/out/", "s3://bucket/out/clips"),
        ("s3://bucket/out", "s3://bucket/out/clips"),
        ("/data/out/", "/data/out//clips"),  # one place on a disk
    ],
)
def test_a_slash_at_the_end_of_data_root_names_no_other_place(tmp_path: Path, typed: str, path: str) -> None:
    root = "${runtime_params:data_root, ${globals:data_root}}"
    files = {"base/catalog.yml": {"clips": {"type": "x", "path": f"{root}/clips"}}}
    typed_in_file = files | {"base/globals.yml": {"data_root": typed}}
    assert loader(tmp_path, "mine", typed_in_file)["catalog"]["clips"]["path"] == path
    other = files | {"base/globals.yml": {"data_root": "data"}}
    found = loader(tmp_path, "mine", other, runtime_params={"data_root": typed})
    assert found["catalog"]["clips"]["path"] == path


def test_a_mapping_of_another_kind_takes_the_place_of_the_bases(tmp_path: Path) -> None:
    base = {"teacher": {"weights": "a", "input": {"kind": "log_mel", "hop_frames": 48}}}
    mine = {"teacher": {"input": {"kind": "waveform", "window_s": 2.0}}}
    merged = loader(tmp_path, "mine", {"base/parameters.yml": base, "mine/parameters.yml": mine})["parameters"]
    assert merged == {"teacher": {"weights": "a", "input": {"kind": "waveform", "window_s": 2.0}}}
    same = {"teacher": {"input": {"kind": "log_mel", "hop_frames": 24}}}
    merged = loader(tmp_path, "mine", {"mine/parameters.yml": same})["parameters"]
    assert merged == {"teacher": {"weights": "a", "input": {"kind": "log_mel", "hop_frames": 24}}}


def test_a_waveform_teacher_is_configured_by_what_differs(tmp_path: Path) -> None:
    base = yaml.safe_load((Path(__file__).parents[1] / "conf/base/parameters/audio_label.yml").read_text())
    mine = {"audio_teacher": {"weights": "mine.onnx", "input": {"kind": "waveform"}}}
    merged = loader(tmp_path, "mine", {"base/parameters.yml": base, "mine/parameters.yml": mine})["parameters"]
    card = AudioTeacherCard.model_validate(merged["audio_teacher"])
    assert card.input is not None and card.input.kind == "waveform"


def test_places_may_begin_with_the_users_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    files = {
        "base/catalog.yml": {"videos": {"type": "a.Dataset", "path": "${runtime_params:source}", "layer": "~raw"}},
    }
    catalog = loader(tmp_path, "mine", files, runtime_params={"source": "~/field"})["catalog"]
    assert catalog == {"videos": {"type": "a.Dataset", "path": str(tmp_path / "home" / "field"), "layer": "~raw"}}


def test_classes_of_the_env_own_are_read_from_their_file() -> None:
    configuration = ConfigLoader(str(Path(__file__).parents[1] / "conf"), env="own", **settings.CONFIG_LOADER_ARGS)
    assert set(configuration["parameters"]["audio_teacher"]["classes"]) == {"dog", "water", "traffic", "rain"}
    AudioTeacherCard.model_validate(configuration["parameters"]["audio_teacher"])


@pytest.mark.parametrize(
    "content",
    [
        b"visual_teacher:\n  classes:\n    dog: [a dog]\n    dog: [a hound]\n",
        b"visual_teacher:\n\tclasses:\n",
        b"visual_teacher:\n  classes:\n    null: [a dog]\n",
        "visual_teacher:\n  classes:\n    B\u00e4r: [a bear]\n".encode("latin1"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_in_one_line(tmp_path: Path, content: bytes) -> None:
    configuration = loader(tmp_path, "mine", {"base/parameters.yml": {}})
    (tmp_path / "mine" / "classes.yml").write_bytes(content)
    with pytest.raises(UserError, match="mine/classes.yml") as caught:
        configuration["parameters"]
    assert "\n" not in str(caught.value)


def test_what_is_read_once_is_not_changed_by_whoever_gets_it(tmp_path: Path) -> None:
    configuration = loader(tmp_path, None, {"base/parameters.yml": {"train": {"epochs": 1}}})
    configuration["parameters"]["train"]["epochs"] = 2
    assert configuration["parameters"] == {"train": {"epochs": 1}}


def test_other_parameters_of_a_run_are_asked_for_anew(tmp_path: Path) -> None:
    configuration = loader(tmp_path, None, {"base/parameters.yml": {"train": {"epochs": 1}}})
    assert configuration["parameters"] == {"train": {"epochs": 1}}
    configuration.runtime_params = {"train": {"epochs": 3}}
    assert configuration["parameters"] == {"train": {"epochs": 3}}
