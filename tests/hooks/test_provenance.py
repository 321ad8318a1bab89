"""Provenance of a model: equal content gives equal hashes, and different content different ones."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml
from kedro.io import DataCatalog

from tests.tones import VOCABULARY, tone_shards
from xmodal_kedro.datasets.folder import FolderDataset
from xmodal_kedro.datasets.note import JsonNote
from xmodal_kedro.hooks.provenance import data_tags, dvc_tags, fingerprint_data, git_tags, teacher_tags


def test_the_hash_of_shards_does_not_depend_on_their_order_but_on_each_of_them() -> None:
    clips, labels = tone_shards(shards=3)
    assert fingerprint_data(dict(reversed(clips.items()))) == fingerprint_data(clips)
    fewer = dict(list(clips.items())[:2])
    renamed = {f"{key}x": shard for key, shard in clips.items()}
    changed = {**clips, "shard-00001": labels["shard-00001"]}
    assert len({fingerprint_data(shards) for shards in (clips, labels, fewer, renamed, changed)}) == 5


def test_the_hash_of_a_table_depends_on_its_values_not_on_its_index() -> None:
    other = VOCABULARY.assign(name=["low", "middle", "lower"])
    assert fingerprint_data(VOCABULARY.set_axis([7, 8, 9])) == fingerprint_data(VOCABULARY)
    assert fingerprint_data(other) != fingerprint_data(VOCABULARY)


def test_only_training_data_is_tagged() -> None:
    clips, labels = tone_shards(shards=1)
    tags = data_tags({"clips": clips, "labels": labels, "label_vocabulary": VOCABULARY, "params:train": {}})
    assert tags.keys() == {"data.clips", "data.labels", "data.label_vocabulary"}
    assert len(set(tags.values())) == 3


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose lock holds a file and a folder."""
    (tmp_path / "data" / "labels").mkdir(parents=True)
    (tmp_path / "data" / "labels" / "a.parquet").write_bytes(b"12345")
    (tmp_path / "data" / "vocabulary.parquet").write_bytes(b"123")
    outs = [
        {"path": "data/labels", "hash": "md5", "md5": "abc.dir", "size": 5, "nfiles": 1},
        {"path": "data/vocabulary.parquet", "hash": "md5", "md5": "def", "size": 3},
    ]
    stages = {"merge_labels": {"cmd": "kedro run", "outs": outs}, "report": {"cmd": "kedro run"}}
    (tmp_path / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}))
    return tmp_path


def test_relative_and_absolute_paths_in_the_lock_have_their_md5(project: Path) -> None:
    places = {
        "labels": "data/labels",
        "label_vocabulary": str(project / "data" / "vocabulary.parquet"),
        "clips": "data/clips",
        "elsewhere": "memory://data/labels",
    }
    assert dvc_tags(project, places) == {"dvc.labels": "abc.dir", "dvc.label_vocabulary": "def"}


def test_data_that_grew_after_dvc_recorded_it_has_no_md5(project: Path) -> None:
    (project / "data" / "labels" / "b.parquet").write_bytes(b"1")
    places = {"labels": "data/labels", "label_vocabulary": "data/vocabulary.parquet"}
    assert dvc_tags(project, places) == {"dvc.label_vocabulary": "def"}


@pytest.mark.parametrize("lock", [None, "", "[]", "stages: {a: 1}", "{", "stages: {a: {outs: [1]}}"])
def test_a_project_without_a_lock_that_dvc_wrote_has_no_md5(project: Path, lock: str | None) -> None:
    (project / "dvc.lock").unlink()
    if lock is not None:
        (project / "dvc.lock").write_text(lock)
    assert dvc_tags(project, {"labels": "data/labels"}) == {}


def test_the_commit_is_tagged_and_whether_files_differ_from_it(tmp_path: Path) -> None:
    def git(*words: str) -> str:
        identity = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
        return subprocess.check_output(["git", *identity, *words], cwd=tmp_path, text=True).strip()

    git("init", "--quiet")
    (tmp_path / "file").write_text("a")
    git("add", "file")
    git("commit", "--quiet", "--message=one")
    git("tag", "v1")
    commit = git("rev-parse", "HEAD")
    assert git_tags(tmp_path) == {"git.commit": commit}
    (tmp_path / "file").write_text("b")
    assert git_tags(tmp_path) == {"git.commit": f"{commit}-dirty"}


def test_outside_a_repository_there_is_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_tags(tmp_path) == {}
    monkeypatch.setenv("PATH", "")
    assert git_tags(tmp_path) == {}


def test_a_model_of_the_hub_is_tagged_with_its_commit(tmp_path: Path) -> None:
    noted = {
        "visual": {"name": "someone/vit", "commit": "0123abcd"},
        "audio": {"name": "ast", "commit": ""},
    }
    entries = {}
    for modality, facts in noted.items():
        JsonNote(str(tmp_path / f"{modality}.json")).write(facts)
        entries[f"{modality}_teacher_files"] = FolderDataset(
            path=str(tmp_path), note=str(tmp_path / f"{modality}.json")
        )
    assert teacher_tags(DataCatalog(entries)) == {"teacher.visual": "someone/vit@0123abcd", "teacher.audio": "ast"}
    assert teacher_tags(DataCatalog({"visual_teacher_files": FolderDataset(path=str(tmp_path))})) == {}
