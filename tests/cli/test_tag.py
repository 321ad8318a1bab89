"""`python -m xmodal_kedro tag` on files of all kinds."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from scipy.io import wavfile

from tests.command_server import with_stand_ins
from tests.media.synthetic import write_media
from tests.network_files import Trained, sound
from xmodal_kedro import load
from xmodal_kedro.cli.tag import tag


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(Trained(tmp_path_factory.mktemp("trained")).weights_file.parent)


@pytest.fixture
def trip(tmp_path: Path) -> Path:
    folder = tmp_path / "trip"
    (folder / "day 2").mkdir(parents=True)
    wavfile.write(folder / "tone.wav", 16_000, np.round(sound(1_000, 10.0) * 20_000).astype(np.int16))
    write_media(folder / "day 2" / "grüße.mp4", duration_s=3.0)
    (folder / "notes.txt").write_text("no sound")
    return folder


def call(model: str, *arguments: object) -> Result:
    return CliRunner().invoke(tag, ["-m", model, "--device", "cpu", *map(str, arguments)])


def json_rows(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_windows_have_times_and_the_tags_of_their_sound(model: str, trip: Path) -> None:
    rows = json_rows(call(model, "--format", "json", "--min-score", 0, trip / "tone.wav"))
    assert [(row["start_s"], row["end_s"]) for row in rows] == [(0, 4), (4, 8), (6, 10)]
    rate_hz, samples = wavfile.read(trip / "tone.wav")
    expected = load(model, device="cpu").tag(samples[4 * rate_hz : 8 * rate_hz], rate_hz)
    found = [(tag["name"], tag["score"]) for tag in rows[1]["tags"]]
    assert [name for name, _ in found] == [name for name, _ in expected]
    assert [score for _, score in found] == pytest.approx([score for _, score in expected], abs=1e-4)


def test_a_folder_is_tagged_file_by_file_and_what_is_no_media_is_passed_over(model: str, trip: Path) -> None:
    rows = json_rows(call(model, "--format", "json", trip))
    assert {row["file"] for row in rows} == {str(trip / "tone.wav"), str(trip / "day 2" / "grüße.mp4")}


def test_the_table_names_each_file_once(model: str, trip: Path) -> None:
    result = call(model, "--min-score", 0, "--top", 1, trip / "tone.wav")
    head, *lines = result.stdout.splitlines()
    assert head == str(trip / "tone.wav")
    assert [line.split()[:2] for line in lines] == [["0.00", "4.00"], ["4.00", "8.00"], ["6.00", "10.00"]]
    assert all(len(line.split()) == 4 for line in lines)


def test_csv_has_a_row_for_each_tag(model: str, trip: Path) -> None:
    result = call(model, "--format", "csv", "--min-score", 0, "--top", 2, "--window", 5, "--hop", 5, trip / "tone.wav")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [(row["start_s"], row["end_s"]) for row in rows] == [("0.0", "5.0")] * 2 + [("5.0", "10.0")] * 2
    assert all(0 <= float(row["score"]) <= 1 for row in rows)


def test_what_cannot_be_tagged_is_named_and_the_others_are_tagged(model: str, trip: Path) -> None:
    result = call(model, trip / "notes.txt", trip / "absent.wav", trip / "tone.wav")
    assert result.exit_code == 1
    assert str(trip / "tone.wav") in result.stdout
    assert "2 not tagged" in result.stderr
    assert "notes.txt" in result.stderr
    assert "not_media" in result.stderr
    assert "absent.wav" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--window", "0.1", "x.wav"),
        ("--window", "nan", "x.wav"),
        ("--hop", "inf", "x.wav"),
        ("--hop", "0", "x.wav"),
        ("--hop", "1e-9", "x.wav"),  # less than a sample: windows would never end
        ("--window", "2", "--hop", "3", "x.wav"),
        ("--format", "xml", "x.wav"),
    ],
)
def test_a_wrong_command_is_refused_before_the_work(model: str, arguments: tuple[str, ...]) -> None:
    assert call(model, *arguments).exit_code == 2


def test_a_folder_without_a_network_is_named(trip: Path) -> None:
    result = call(str(trip), trip / "tone.wav")
    assert result.exit_code == 1
    assert "weights.safetensors is missing" in result.stderr


def test_it_needs_no_project_around_it(model: str, trip: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    command = ["python", "-m", "xmodal_kedro", "tag", "-m", model, "--format", "json", str(trip / "tone.wav")]
    source = str(Path(__file__).parents[2] / "src")
    environment = with_stand_ins(os.environ | {"PYTHONPATH": source})
    run = subprocess.run(command, cwd=elsewhere, env=environment, capture_output=True, text=True, check=True)
    assert len(run.stdout.splitlines()) == 3
    assert run.stderr == ""
    assert not list(elsewhere.iterdir())
