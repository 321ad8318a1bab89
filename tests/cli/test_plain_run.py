"""`kedro run` ends with one message for errors that users can fix, and with a traceback for bugs in the code."""

from __future__ import annotations

import errno
import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from kedro.config import MissingConfigException
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.cli.utils import KedroCliError
from kedro.framework.startup import bootstrap_project
from kedro.io import DatasetError
from kedro.pipeline import Pipeline

from tests.project import PROJECT, Project
from xmodal_kedro.cli.plain_run import VERBOSE_VARIABLE, PlainRun, plain_words, run
from xmodal_kedro.datasets.errors import DataError
from xmodal_kedro.errors import UserError


def wrapped(cause: Exception) -> DatasetError:
    """An error wrapped as Kedro's datasets do."""
    error = DatasetError(f"Failed while loading: {cause}")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        UserError("clip.min_s is 6: set less"),
        DataError("clips is missing: make it"),
        OSError(errno.ENOSPC, "No space left on device", "clips"),
        MemoryError("a batch does not fit: lower train.batch_size"),
        MissingConfigException("no catalog"),
        KedroCliError("not both"),
        wrapped(UserError("labels.txt is empty: write one name a line")),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_that_users_can_fix_keep_their_message(error: Exception) -> None:
    message = error.message if isinstance(error, click.ClickException) else str(error)
    assert plain_words(error) == message


def test_a_storage_that_does_not_answer_is_one_line_without_the_texts_of_kedro() -> None:
    from botocore.exceptions import ConnectionClosedError

    failed = DataError("probes: 1 of 4 shards failed: [Errno 28] No space left on device")
    assert plain_words(failed) == str(failed)
    lost = ConnectionClosedError(endpoint_url="http://127.0.0.1:9/bucket")
    denied = PermissionError(errno.EACCES, "Permission denied", "videos")
    assert plain_words(wrapped(wrapped(denied))) == str(denied)
    for error in (lost, wrapped(lost), wrapped(wrapped(lost))):
        message = plain_words(error)
        assert message is not None and "\n" not in message
        assert "ConnectionClosedError" in message and "Failed while" not in message


@pytest.mark.parametrize("error", [KeyError("a"), ValueError("axis 3"), wrapped(TypeError("NoneType"))])
def test_possible_bugs_have_no_message(error: Exception) -> None:
    assert plain_words(error) is None


def test_errors_of_kedro_itself_keep_their_message() -> None:
    with pytest.raises(ValueError) as raised:
        Pipeline([]).only_nodes("nowhere")
    assert plain_words(raised.value) == "Pipeline does not contain nodes named ['nowhere']."


def failing(error: Exception) -> PlainRun:
    def fail() -> None:
        raise error

    return PlainRun("run", callback=fail, params=[param for param in run.params if param.name == "verbose"])


@pytest.mark.parametrize(
    ("arguments", "environment", "shown"),
    [([], {}, False), (["--verbose"], {}, True), ([], {VERBOSE_VARIABLE: "1"}, True)],
)
def test_the_traceback_is_shown_with_verbose(arguments: list[str], environment: dict[str, str], shown: bool) -> None:
    ended = CliRunner().invoke(failing(UserError("set less")), arguments, env=environment)
    assert ended.exit_code == 1
    assert ended.stderr.endswith("Error: set less\n")
    assert ("Traceback" in ended.stderr) is shown


def test_a_bug_passes_unchanged() -> None:
    fault = KeyError("a")
    assert CliRunner().invoke(failing(fault)).exception is fault


def test_all_options_of_kedro_run_are_accepted() -> None:
    assert [param.name for param in run.params] == [*(param.name for param in kedro_run.params), "verbose"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--runner", "Nope"], "--runner Nope .*SequentialRunner"),
        (["--runner", "no.such.Nope"], "--runner no.such.Nope "),
        (["--runner", "kedro.io.DataCatalog"], "--runner kedro.io.DataCatalog "),
        (["--runner-params", "speed=3"], "--runner-params .*UpToDateRunner.*: speed; it takes is_async"),
        (["--pipelines", "train,trian"], "there is no pipeline trian: there are .*, train, transfer_eval"),
        (["--pipeline", "trian"], "there is no pipeline trian"),
        (["--load-versions", "nope"], "Expected the form of 'load_versions' to be .*found nope"),
    ],
)
def test_a_mistyped_option_is_reported_before_anything_is_loaded_for_the_run(
    arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(PROJECT)
    bootstrap_project(PROJECT)
    ended = CliRunner().invoke(run, arguments)
    assert ended.exit_code in (1, 2)
    assert re.match(f"Error: {message}", ended.stderr.splitlines()[-1])


def test_a_mistake_found_before_the_run_and_one_found_in_it_end_without_a_traceback(tmp_path: Path) -> None:
    project = Project(tmp_path / "project")
    before = project.run("kedro", "run", "--env", "smaple")
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "notes.mp4").write_text("no video at all")
    params = f"source={tmp_path / 'videos'},data_root={tmp_path / 'out'}"
    within = project.run("kedro", "run", "--env", "onnx", "--pipelines=ingest,clip", "--params", params)
    for ended, message in [
        (before, r"there is no env 'smaple': .*conf has base, "),
        (within, "none of the files in .*videos can be used: `rejected_videos` says why; add videos"),
    ]:
        last = ended.stderr.splitlines()[-1]
        assert ended.returncode == 1
        assert "Traceback" not in ended.stdout + ended.stderr
        assert last.startswith("Error: ")
        assert re.search(message, last)
