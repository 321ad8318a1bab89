"""The corpus that `benchmarks/merge_scale.py` merges is one that labelling could have made."""

import importlib
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.fakes import MemoryShard, shard_of
from tests.project import PROJECT
from xmodal_kedro.labels.selection import ShardClips, read_labels
from xmodal_kedro.schemas import NearDuplicates, SoundOntology, TeacherClasses, TeacherLabels

CLIPS = 2_500


@pytest.fixture
def simulated(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(PROJECT / "benchmarks")
    return importlib.import_module("simulated_labels")


@pytest.fixture
def corpus(simulated: Any) -> dict[str, dict[str, MemoryShard]]:
    jobs = simulated.shard_jobs(simulated.draw_videos(CLIPS), simulated.made_up_tables())
    return {name: {key: shard_of(job) for key, job in shards.items()} for name, shards in jobs.items()}


def test_the_corpus_has_the_clips_asked_for_each_once(corpus: dict[str, dict[str, MemoryShard]]) -> None:
    ids = [clip_id for load in corpus["clips"].values() for clip_id in load()["clip_id"].to_pylist()]
    assert len(ids) == len(set(ids)) == CLIPS
    assert len(corpus["clips"]) > 1


@pytest.mark.parametrize("modality", ["visual", "audio"])
def test_labels_are_as_a_teacher_gives_them(corpus: dict[str, dict[str, MemoryShard]], modality: str) -> None:
    for key, load in corpus[f"{modality}_labels"].items():
        read_labels(load, ShardClips.of(corpus["clips"][key]), modality)
        labels = load().to_pandas()
        TeacherLabels.validate(labels)
        assert not labels.duplicated(["clip_id", "label"]).any()
        assert labels.groupby("clip_id").size().max() == 10
        best_first = labels.sort_values(["score", "label"], ascending=[False, True]).sort_values(
            "clip_id", kind="stable"
        )
        assert best_first["score"].tolist() == labels["score"].tolist()
        assert best_first["label"].tolist() == labels["label"].tolist()


def test_what_is_seen_tells_of_what_is_heard(corpus: dict[str, dict[str, MemoryShard]]) -> None:
    seen, heard = (
        pd.concat(load().to_pandas() for load in corpus[f"{modality}_labels"].values())
        for modality in ("visual", "audio")
    )
    together = pd.crosstab(*seen.merge(heard, on="clip_id")[["label_x", "label_y"]].to_numpy().T).to_numpy()
    by_chance = np.outer(together.sum(axis=1), together.sum(axis=0)) / together.sum()
    assert ((together >= 10) & (together > 10 * by_chance)).sum() > 20


def test_its_tables_are_such_as_pipelines_make(simulated: Any) -> None:
    tables = simulated.made_up_tables()
    groups = simulated.draw_near_duplicates(list(simulated.draw_videos(CLIPS)))
    for model, table in [
        (TeacherClasses, tables.visual_classes),
        (TeacherClasses, tables.audio_classes),
        (SoundOntology, tables.sound_ontology),
        (NearDuplicates, groups),
    ]:
        assert len(model.validate(table)) > 0
