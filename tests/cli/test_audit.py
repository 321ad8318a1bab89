from __future__ import annotations

import copy
import subprocess
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from xmodal_kedro.cli.audit import compare_locks, main, unequal_files, unequal_tables

LOCK: dict[str, Any] = {
    "train": {
        "cmd": "kedro run --pipelines=train",
        "deps": [{"path": "labels", "md5": "a1.dir"}, {"path": "src/training", "md5": "a2.dir"}],
        "params": {"train.yml": {"train": {"epochs": 5}}},
        "outs": [{"path": "weights", "md5": "b1"}, {"path": "card", "md5": "b2"}],
    },
    "judge": {
        "cmd": "kedro run --pipelines=judge",
        "deps": [{"path": "weights", "md5": "b1"}],
        "outs": [{"path": "results", "md5": "c1"}, {"path": "report", "md5": "c2"}],
    },
}


@pytest.fixture
def other() -> dict[str, Any]:
    return copy.deepcopy(LOCK)


def messages(first: dict[str, Any], second: dict[str, Any], *exempt: str) -> list[str]:
    return [str(difference) for difference in compare_locks(first, second, frozenset(exempt))]


def test_equal_locks_have_no_differences(other: dict[str, Any]) -> None:
    assert messages(LOCK, other) == []


def test_an_output_that_differs_is_named_with_its_stage_and_hashes(other: dict[str, Any]) -> None:
    other["train"]["outs"][1]["md5"] = "b3"
    assert messages(LOCK, other) == ["train: card: b2 and b3 although all its inputs are the same"]


def test_outputs_that_differ_with_their_inputs_are_distinguished(other: dict[str, Any]) -> None:
    other["train"]["outs"][0]["md5"] = other["judge"]["deps"][0]["md5"] = "b3"
    other["judge"]["outs"][0]["md5"] = "c3"
    assert messages(LOCK, other) == [
        "train: weights: b1 and b3 although all its inputs are the same",
        "judge: results: c1 and c3",
    ]


def test_an_output_or_a_stage_that_only_one_clone_made_is_named(other: dict[str, Any]) -> None:
    del other["train"]["outs"][1]
    assert messages(LOCK, other) == ["train: card: only in the first clone although all its inputs are the same"]
    del other["judge"]
    assert messages(other, LOCK)[-1] == "judge: the whole stage: ran in the second clone only"


def test_inputs_that_no_stage_makes_and_parameters_count(other: dict[str, Any]) -> None:
    other["train"]["deps"][1]["md5"] = "a3.dir"
    other["train"]["params"]["train.yml"]["train"]["epochs"] = 6
    assert messages(LOCK, other) == [
        "train: src/training: a2.dir and a3.dir",
        "train: parameters: not the same in both",
    ]


def test_an_output_that_names_its_run_may_differ(other: dict[str, Any]) -> None:
    other["judge"]["outs"][1]["md5"] = "c3"
    assert messages(LOCK, other, "report") == []


def test_files_are_named_that_two_folders_do_not_share(tmp_path: Path) -> None:
    for name, texts in {"first": {"a": "1", "b/c": "2", "d": "3"}, "second": {"a": "1", "b/c": "4", "e": "3"}}.items():
        for path, text in texts.items():
            (tmp_path / name / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / path).write_text(text)
    assert unequal_files(tmp_path / "first", tmp_path / "second") == ["b/c", "d", "e"]


def test_tables_are_compared_by_their_rows_and_not_by_their_metadata(tmp_path: Path) -> None:
    table = pa.table({"uri": ["a", "b"]})
    for name, other in {"first": table, "second": table.slice(1)}.items():
        (tmp_path / name).mkdir()
        pq.write_table(table.replace_schema_metadata({"made": name}), tmp_path / name / "same.parquet")
        pq.write_table(other, tmp_path / name / "other.parquet")
        (tmp_path / name / "same.csv").write_text("a,b")
        (tmp_path / name / "other.csv").write_text(name)
        (tmp_path / name / "_index.json").write_text(name)
        (tmp_path / name / ".jobs").mkdir()
        (tmp_path / name / ".jobs" / "all.json").write_text(name)
    pq.write_table(table, tmp_path / "second" / "more.parquet")
    unequal = unequal_tables(tmp_path / "first", tmp_path / "second")
    assert unequal == ["more.parquet", "other.csv", "other.parquet"]


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose stages make a constant table, and a report that holds the path of its folder."""
    folder = tmp_path / "repository"
    (folder / ".dvc").mkdir(parents=True)
    (folder / ".dvc" / "config").write_text("[core]\n    analytics = false\n")
    (folder / ".gitignore").write_text("/shards\n/report\n")
    (folder / "dvc.yaml").write_text(
        "stages:\n"
        "  label:\n    cmd: mkdir -p shards && echo 1 > shards/one\n    outs: [shards]\n"
        "  report:\n    cmd: pwd > report\n    deps: [shards]\n    outs: [report: {labels: [names-its-run]}]\n"
    )
    for command in (
        ["git", "init", "--quiet"],
        ["git", "add", "--all"],
        ["git", "-c", "user.name=A Tester", "-c", "user.email=tester@example.org", "commit", "--quiet", "-m", "All"],
    ):
        subprocess.run(command, cwd=folder, check=True)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    return folder


def rewrite(repository: Path, old: str, new: str) -> None:
    path = repository / "dvc.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    author = ["-c", "user.name=A Tester", "-c", "user.email=tester@example.org"]
    subprocess.run(["git", *author, "commit", "--quiet", "--all", "--message", "Change"], cwd=repository, check=True)


def test_a_repository_that_gives_the_same_twice_passes(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([]) == 0
    printed = capsys.readouterr().out
    assert "1 outputs of 2 stages compared" in printed
    assert "not compared, as it names the run that wrote it: report" in printed
    assert "REPRODUCED: the same bytes in both clones, and nothing to do in a second dvc repro" in printed
    assert list(tmp_path.glob("audit-*")) == []


def test_differences_are_printed_and_the_clones_are_kept(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rewrite(repository, "echo 1 >", "pwd >")
    (repository / "dvc.yaml").write_text("not committed")
    assert main([]) == 1
    printed = capsys.readouterr().out
    assert "changes that are not committed are left out" in printed
    assert "NOT REPRODUCED:\nlabel: shards: " in printed
    assert "although all its inputs are the same\n  shards/one\n" in printed
    (kept,) = tmp_path.glob("audit-*")
    assert (kept / "first/shards/one").read_text() != (kept / "second/shards/one").read_text()


def test_a_stage_that_fails_ends_the_audit_with_the_end_of_its_log(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rewrite(repository, "pwd > report", "echo no disk && false")
    assert main([]) == 2
    assert "no disk" in capsys.readouterr().out
