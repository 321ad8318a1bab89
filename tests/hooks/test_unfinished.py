"""The same work started again goes on in the same MLflow run; any other work, or a finished one, does not."""

from __future__ import annotations

import logging
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline
from mlflow.tracking import MlflowClient

from tests.command_server import with_stand_ins
from tests.hooks.runs import FAULTS, STEPS, TRAIN, Tracked, catalog_of
from tests.project import PROJECT
from tests.tones import VOCABULARY, tone_params, tone_shards
from xmodal_kedro.hooks.unfinished import NOTE_NAME, UnfinishedRun


def raising(error: BaseException) -> Callable[[], None]:
    def fault() -> None:
        raise error

    return fault


def fail(tracked: Tracked, catalog: DataCatalog) -> None:
    FAULTS.append(raising(RuntimeError("half-way")))
    with pytest.raises(RuntimeError, match="half-way"):
        tracked.run(catalog)


def notes(data: Path) -> list[str]:
    return sorted(path.parent.name for path in data.rglob(NOTE_NAME))


def statuses(tracked: Tracked) -> list[str]:
    return [run.info.status for run in tracked.runs()]


def test_a_failed_run_goes_on_in_its_mlflow_run_and_leaves_no_note(tracked: Tracked, tmp_path: Path) -> None:
    fail(tracked, catalog_of(tmp_path))
    assert statuses(tracked) == ["FAILED"] and notes(tmp_path) == ["mobilenet_v2"]
    tracked.run(catalog_of(tmp_path))
    assert statuses(tracked) == ["FINISHED"] and notes(tmp_path) == []
    steps = [step for step, _ in tracked.curve(tracked.runs()[0], "step.train_loss")]
    assert steps == [0, *range(STEPS)]


@pytest.mark.parametrize("left", ["RUNNING", "KILLED"])
def test_a_run_that_was_killed_goes_on_in_its_mlflow_run(tracked: Tracked, tmp_path: Path, left: str) -> None:
    fail(tracked, catalog_of(tmp_path))
    MlflowClient(f"sqlite:///{tracked.store}").update_run(tracked.runs()[0].info.run_id, status=left)
    tracked.run(catalog_of(tmp_path))
    assert statuses(tracked) == ["FINISHED"]


INTERRUPTED = """
import os, signal, sys
from pathlib import Path
from tests.hooks import runs

runs.FAULTS.append(lambda: os.kill(os.getpid(), signal.SIGINT))
runs.Tracked(Path(sys.argv[1])).run(runs.catalog_of(Path(sys.argv[2])))
"""


def test_a_run_that_its_user_interrupts_is_not_taken_for_finished(tracked: Tracked, tmp_path: Path) -> None:
    command = ["python", "-c", INTERRUPTED, str(tracked.folder), str(tmp_path)]
    subprocess.run(command, cwd=PROJECT, env=with_stand_ins(os.environ), check=False, capture_output=True)
    assert statuses(tracked) == ["KILLED"] and notes(tmp_path) == ["mobilenet_v2"]
    assert tracked.curve(tracked.runs()[0], "step.train_loss") == [(0, 1.0)]


def test_a_run_interrupted_in_a_notebook_goes_on_in_its_mlflow_run(tracked: Tracked, tmp_path: Path) -> None:
    FAULTS.append(raising(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        tracked.run(catalog_of(tmp_path))
    tracked.run(catalog_of(tmp_path))
    assert statuses(tracked) == ["FINISHED"]
    assert len(tracked.curve(tracked.runs()[0], "step.train_loss")) == 1 + STEPS


def more_nodes() -> Pipeline:
    return TRAIN + Pipeline([Node(lambda card: card, "model_card", "report", name="report")])


def clips_of(shards: int) -> dict[str, Any]:
    return dict(zip(("clips", "labels"), tone_shards(shards=shards), strict=True))


OTHER_WORK: dict[str, Callable[[Tracked, Path], Any]] = {
    "parameters": lambda tracked, data: tracked.run(catalog_of(data, tone_params(model="mobilenet_v2", seed=1))),
    "clips and labels": lambda tracked, data: tracked.run(catalog_of(data, **clips_of(2))),
    "vocabulary": lambda tracked, data: tracked.run(catalog_of(data, label_vocabulary=VOCABULARY.assign(clip_count=2))),
    "env": lambda tracked, data: tracked.run(catalog_of(data), env="paper"),
    "nodes": lambda tracked, data: tracked.run(catalog_of(data), more_nodes()),
}


@pytest.mark.parametrize("other", OTHER_WORK)
def test_work_of_another_kind_gets_a_run_of_its_own(tracked: Tracked, tmp_path: Path, other: str) -> None:
    fail(tracked, catalog_of(tmp_path))
    OTHER_WORK[other](tracked, tmp_path)
    assert statuses(tracked) == ["FAILED", "FINISHED"]


def test_another_place_gets_a_run_of_its_own_though_the_note_came_along(tracked: Tracked, tmp_path: Path) -> None:
    fail(tracked, catalog_of(tmp_path / "here"))
    (tmp_path / "here").rename(tmp_path / "there")
    tracked.run(catalog_of(tmp_path / "there"))
    assert statuses(tracked) == ["FAILED", "FINISHED"]


def test_a_finished_run_is_not_gone_on_with(tracked: Tracked, tmp_path: Path) -> None:
    fail(tracked, catalog_of(tmp_path))
    note = next(tmp_path.rglob(NOTE_NAME))
    kept = note.read_bytes()
    tracked.run(catalog_of(tmp_path))
    note.write_bytes(kept)
    tracked.run(catalog_of(tmp_path))
    assert statuses(tracked) == ["FINISHED", "FINISHED"]


@pytest.mark.parametrize("content", [b"", b"[]", b'{"run_id": 1}', b"\xff\xfe", b'"text"'])
def test_a_broken_note_counts_for_nothing_and_the_log_says_so(
    tracked: Tracked, tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    note = tmp_path / "06_models" / "mobilenet_v2" / NOTE_NAME
    note.parent.mkdir(parents=True)
    note.write_bytes(content)
    tracked.run(catalog_of(tmp_path))
    assert statuses(tracked) == ["FINISHED"] and notes(tmp_path) == []
    assert "is not the note of an MLflow run" in caplog.text


@pytest.mark.parametrize("gone", ["deleted", "another store"])
def test_a_run_that_is_no_longer_there_gives_way_to_a_new_one_and_the_log_says_so(
    tracked: Tracked, tmp_path: Path, caplog: pytest.LogCaptureFixture, gone: str
) -> None:
    fail(tracked, catalog_of(tmp_path))
    if gone == "deleted":
        MlflowClient(f"sqlite:///{tracked.store}").delete_run(tracked.runs()[0].info.run_id)
    else:
        note = next(tmp_path.rglob(NOTE_NAME))
        note.write_text(note.read_text().replace(tracked.runs()[0].info.run_id, "0" * 32))
    with caplog.at_level(logging.INFO):
        tracked.run(catalog_of(tmp_path))
    assert statuses(tracked)[-1] == "FINISHED"
    assert "a new one starts" in caplog.text


def test_two_models_have_two_notes_and_finish_each_its_own_run(tracked: Tracked, tmp_path: Path) -> None:
    first, second = (tone_params(model=model) for model in ("mobilenet_v2", "vggish_plus"))
    fail(tracked, catalog_of(tmp_path, first))
    fail(tracked, catalog_of(tmp_path, second))
    assert notes(tmp_path) == ["mobilenet_v2", "vggish_plus"]
    tracked.run(catalog_of(tmp_path, first))
    assert statuses(tracked) == ["FINISHED", "FAILED"] and notes(tmp_path) == ["vggish_plus"]
    tracked.run(catalog_of(tmp_path, second))
    assert statuses(tracked) == ["FINISHED", "FINISHED"] and notes(tmp_path) == []
    assert [run.info.run_name for run in tracked.runs()] == ["mobilenet_v2", "vggish_plus"]


def test_a_run_that_makes_no_model_leaves_no_note_and_always_starts_anew(tracked: Tracked, tmp_path: Path) -> None:
    look = Pipeline([Node(len, "clips", "count", name="look")])
    for _ in range(2):
        tracked.run(catalog_of(tmp_path), look)
    assert statuses(tracked) == ["FINISHED", "FINISHED"] and notes(tmp_path) == []


def test_a_run_that_the_user_chose_stands(tracked: Tracked, tmp_path: Path) -> None:
    tracked.run(catalog_of(tmp_path))
    fail(tracked, catalog_of(tmp_path))
    chosen = tracked.runs()[0].info.run_id
    tracked.settings["tracking"]["run"]["id"] = chosen
    tracked.run(catalog_of(tmp_path))
    assert statuses(tracked) == ["FINISHED", "FAILED"]


def test_machines_that_share_a_training_keep_a_note_each(tmp_path: Path) -> None:
    weights = str(tmp_path / "weights.safetensors")
    one, other = (UnfinishedRun(weights, "work", machine) for machine in ("one-", "other-"))
    one.write("1")
    other.write("2")
    one.forget("1")
    assert [path.name for path in tmp_path.iterdir()] == [f"other-{NOTE_NAME}"]
