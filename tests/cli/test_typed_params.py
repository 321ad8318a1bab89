"""Folders are read as they are typed, whatever Kedro's parser would make of their names."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from tests.media.synthetic import write_media
from tests.project import Project
from xmodal_kedro.cli.plain_run import run
from xmodal_kedro.params.places import PLACES

NAMES = (
    "2024",
    "007",
    "1e5",
    "true",
    "on",
    "null",
    "~",
    "1:30",
    "2024-01-01",
    "[a",
    "a: b",
    "a #1",
    "${x}",
    "0x10",
    "-",
)


def parsed(typed: str) -> dict[str, object]:
    return dict(run.make_context("kedro run", ["--params", typed]).params["params"])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("place", sorted(PLACES))
def test_a_path_is_the_text_that_was_typed(name: str, place: str) -> None:
    expected = {"train": {"epochs": 3}, place: name, "clip": {"min_s": 1.5}}
    assert parsed(f"train.epochs=3,{place}={name},clip.min_s=1.5") == expected


@pytest.mark.parametrize(
    ("typed", "source"),
    [
        ("source='2024'", "2024"),
        ('source="my folder"', "my folder"),
        (" source = x ", "x"),
        ("source=a, b,data_root=o", "a, b"),
        ("source=a=b", "a=b"),
        ("source=", ""),
        ("source=a,", "a"),
    ],
)
def test_quotes_spaces_and_commas_of_a_path(typed: str, source: str) -> None:
    assert parsed(typed)["source"] == source


def test_other_parameters_are_what_kedro_makes_of_them() -> None:
    assert parsed("train.epochs=3,compare.rules=[union],train.compile=false") == {
        "train": {"epochs": 3, "compile": False},
        "compare": {"rules": ["union"]},
    }
    with pytest.raises(click.UsageError):
        parsed("nonsense")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("typed") / "project").track_nothing()


def test_a_run_reads_and_writes_folders_whose_names_are_numbers(project: Project) -> None:
    source = project.folder / "007"
    source.mkdir()
    write_media(source / "a.mp4", duration_s=4.0)
    command = ("kedro", "run", "--env=onnx", "--pipelines=ingest,clip", "--params", "source=007,data_root=1e5")
    done = project.run(*command)
    assert done.returncode == 0, done.stderr
    assert (project.folder / "1e5" / "02_intermediate" / "videos.parquet").is_file()


@pytest.mark.parametrize("name", ["true", "1:30"])
def test_a_folder_that_is_missing_is_named_as_it_was_typed(project: Project, name: str) -> None:
    done = project.run("kedro", "run", "--env=onnx", "--pipelines=ingest", "--params", f"source={name},data_root=out")
    assert done.returncode == 1
    assert f"nothing at {Path(project.folder, name)}:" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_number_in_a_file_of_options_is_refused_with_the_form_that_works(project: Project) -> None:
    options = project.folder / "options.yml"
    options.write_text("run:\n  env: onnx\n  pipelines: ingest\n  params:\n    source: 2024\n    data_root: out\n")
    refused = project.run("kedro", "run", "--config", "options.yml")
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1].startswith("Error: the path source is the int 2024")
    assert 'source: "2024"' in refused.stderr
    options.write_text(options.read_text().replace("2024", '"2024"'))
    assert "nothing at" in project.run("kedro", "run", "--config", "options.yml").stderr
